// gorilla/websocket: echo, or every message to all other connections.
//
//	go_gorilla echo|fanout PORT [--deflate] [--certificate FILE --key FILE]
package main

import (
	"flag"
	"log"
	"net/http"
	"os"
	"runtime"
	"sync"

	"github.com/gorilla/websocket"
)

// As in the library's chat example, what waits for one connection is bounded; beyond, it is closed.
const mostWaiting = 1024

var (
	upgrader = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	lock     sync.Mutex
	everyone = map[*websocket.Conn]chan *websocket.PreparedMessage{}
)

func echo(conn *websocket.Conn) {
	for {
		kind, message, err := conn.ReadMessage()
		if err != nil || conn.WriteMessage(kind, message) != nil {
			return
		}
	}
}

// The one writer of a connection.
func deliver(conn *websocket.Conn, waiting chan *websocket.PreparedMessage) {
	for message := range waiting {
		if conn.WritePreparedMessage(message) != nil {
			conn.Close()
		}
	}
}

func fanout(conn *websocket.Conn) {
	waiting := make(chan *websocket.PreparedMessage, mostWaiting)
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
		kind, message, err := conn.ReadMessage()
		if err != nil {
			return
		}
		publication, err := websocket.NewPreparedMessage(kind, message)
		if err != nil {
			return
		}
		publish(conn, publication)
	}
}

func publish(publisher *websocket.Conn, publication *websocket.PreparedMessage) {
	lock.Lock()
	defer lock.Unlock()
	for conn, waiting := range everyone {
		if conn == publisher {
			continue
		}
		select {
		case waiting <- publication:
		default:
			conn.Close()
		}
	}
}

func main() {
	runtime.GOMAXPROCS(1)
	flags := flag.NewFlagSet("go_gorilla", flag.ExitOnError)
	certificate := flags.String("certificate", "", "PEM file")
	key := flags.String("key", "", "PEM file")
	// The library never keeps a context.
	flags.BoolVar(&upgrader.EnableCompression, "deflate", false, "compress")
	flags.Parse(os.Args[3:])
	serve := map[string]func(*websocket.Conn){"echo": echo, "fanout": fanout}[os.Args[1]]
	http.HandleFunc("/", func(response http.ResponseWriter, request *http.Request) {
		conn, err := upgrader.Upgrade(response, request, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		conn.SetCompressionLevel(3)
		serve(conn)
	})
	address := "127.0.0.1:" + os.Args[2]
	if *certificate != "" {
		log.Fatal(http.ListenAndServeTLS(address, *certificate, *key, nil))
	}
	log.Fatal(http.ListenAndServe(address, nil))
}
