// nhooyr.io/websocket: echo, or every message to all other connections.
//
//	go_nhooyr echo|fanout PORT [--deflate]
package main

import (
	"bytes"
	"context"
	"log"
	"net/http"
	"os"
	"runtime"
	"sync"

	"nhooyr.io/websocket"
)

type message struct {
	kind  websocket.MessageType
	bytes []byte
}

// As in the library's chat example, what waits for one connection is bounded; beyond, it is closed.
const mostWaiting = 1024

var (
	always   = context.Background()
	lock     sync.Mutex
	everyone = map[*websocket.Conn]chan message{}
)

// Reads into a buffer of the connection's own: Conn.Read makes one for each message.
func read(conn *websocket.Conn, buffer *bytes.Buffer) (websocket.MessageType, error) {
	kind, reader, err := conn.Reader(always)
	if err != nil {
		return 0, err
	}
	buffer.Reset()
	_, err = buffer.ReadFrom(reader)
	return kind, err
}

func echo(conn *websocket.Conn) {
	var buffer bytes.Buffer
	for {
		kind, err := read(conn, &buffer)
		if err != nil || conn.Write(always, kind, buffer.Bytes()) != nil {
			return
		}
	}
}

// The one writer of a connection.
func deliver(conn *websocket.Conn, waiting chan message) {
	for one := range waiting {
		conn.Write(always, one.kind, one.bytes) // one that fails closes the connection
	}
}

func fanout(conn *websocket.Conn) {
	waiting := make(chan message, mostWaiting)
	go deliver(conn, waiting)
	lock.Lock()
	everyone[conn] = waiting
	lock.Unlock()
	defer func() {
		lock.Lock()
		delete(everyone, conn)
		lock.Unlock()
		close(waiting)
	}()
	for {
		kind, publication, err := conn.Read(always)
		if err != nil {
			return
		}
		publish(conn, message{kind, publication})
	}
}

func publish(publisher *websocket.Conn, publication message) {
	lock.Lock()
	defer lock.Unlock()
	for conn, waiting := range everyone {
		if conn == publisher {
			continue
		}
		select {
		case waiting <- publication:
		default:
			go conn.Close(websocket.StatusPolicyViolation, "too slow")
		}
	}
}

func main() {
	runtime.GOMAXPROCS(1)
	serve := map[string]func(*websocket.Conn){"echo": echo, "fanout": fanout}[os.Args[1]]
	options := websocket.AcceptOptions{
		InsecureSkipVerify: true, // any origin
		CompressionMode:    websocket.CompressionDisabled,
	}
	if len(os.Args) > 3 && os.Args[3] == "--deflate" {
		// Its level cannot be chosen.
		options.CompressionMode = websocket.CompressionNoContextTakeover
		options.CompressionThreshold = 1
	}
	http.HandleFunc("/", func(response http.ResponseWriter, request *http.Request) {
		conn, err := websocket.Accept(response, request, &options)
		if err != nil {
			return
		}
		defer conn.Close(websocket.StatusNormalClosure, "")
		conn.SetReadLimit(64 << 20)
		serve(conn)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[2], nil))
}
