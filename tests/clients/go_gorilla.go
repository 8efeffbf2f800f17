// Go's gorilla/websocket as a client. What is printed, and for whom: see run.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

const (
	limitBytes  = 65536
	enoughPings = 20 // more than the server sends to one that does not answer
)

var (
	first, second, third string
	sizes         = []int{0, 1, 125, 126, 65535, 65536}
	dialer        = websocket.Dialer{HandshakeTimeout: 20 * time.Second}
)

func dial(url, origin string) (*websocket.Conn, *http.Response, error) {
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	socket, response, err := dialer.Dial(url, header)
	if err == nil {
		err = socket.SetReadDeadline(time.Now().Add(20 * time.Second))
	}
	return socket, response, err
}

// Runs a function on a connection of its own.
func on(url string, use func(*websocket.Conn) error) error {
	socket, _, err := dial(url+"/echo", "")
	if err != nil {
		return err
	}
	defer socket.Close()
	return use(socket)
}

func expectMessage(socket *websocket.Conn, kind int, message []byte) error {
	gotKind, got, err := socket.ReadMessage()
	if err != nil {
		return err
	}
	if gotKind != kind || !bytes.Equal(got, message) {
		return fmt.Errorf("got another message, of type %d and %d bytes", gotKind, len(got))
	}
	return nil
}

func echoes(socket *websocket.Conn, kind int, message []byte) error {
	if err := socket.WriteMessage(kind, message); err != nil {
		return err
	}
	return expectMessage(socket, kind, message)
}

func pattern(size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 7)
	}
	return data
}

func echoesText() error {
	return on(first, func(socket *websocket.Conn) error {
		for _, size := range sizes {
			text := strings.Repeat("abcdefghijklm", size/13+1)[:size]
			if err := echoes(socket, websocket.TextMessage, []byte(text)); err != nil {
				return err
			}
		}
		return nil
	})
}

func echoesBinary() error {
	return on(first, func(socket *websocket.Conn) error {
		for _, size := range sizes {
			if err := echoes(socket, websocket.BinaryMessage, pattern(size)); err != nil {
				return err
			}
		}
		return nil
	})
}

func echoesNonASCII() error {
	texts := []string{"Grüße, Jürgen", "日本語のテキスト", "🦀🚀🇫🇷", "\x00 \U0010ffff \x7f", strings.Repeat("é", 32768)}
	return on(first, func(socket *websocket.Conn) error {
		for _, text := range texts {
			if err := echoes(socket, websocket.TextMessage, []byte(text)); err != nil {
				return err
			}
		}
		return nil
	})
}

func keepsOrder() error {
	messages := make([][]byte, 2000)
	for i := range messages {
		padding := i % 300
		if i%100 == 0 {
			padding = 20000
		}
		messages[i] = []byte(fmt.Sprint(i, " ", strings.Repeat("x", padding)))
	}
	return on(first, func(socket *websocket.Conn) error {
		sent := make(chan error, 1)
		go func() {
			for _, message := range messages {
				if err := socket.WriteMessage(websocket.TextMessage, message); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		for _, message := range messages {
			if err := expectMessage(socket, websocket.TextMessage, message); err != nil {
				return err
			}
		}
		return <-sent
	})
}

// A writer sends a fragment each time that its buffer is full.
func writeFragments(socket *websocket.Conn, kind int, message []byte) error {
	writer, err := socket.NextWriter(kind)
	if err != nil {
		return err
	}
	for len(message) > 0 {
		part := message[:1]
		message = message[1:]
		if _, err := writer.Write(part); err != nil {
			return err
		}
	}
	return writer.Close()
}

func sendsFragments() error {
	small := websocket.Dialer{WriteBufferSize: 32}
	socket, _, err := small.Dial(first+"/echo", nil)
	if err != nil {
		return err
	}
	defer socket.Close()
	for _, message := range []struct {
		kind    int
		payload []byte
	}{
		{websocket.TextMessage, []byte(strings.Repeat("fragments äö 🦀 ", 100))},
		{websocket.BinaryMessage, pattern(60000)},
	} {
		if err := writeFragments(socket, message.kind, message.payload); err != nil {
			return err
		}
		if err := expectMessage(socket, message.kind, message.payload); err != nil {
			return err
		}
	}
	return nil
}

func getsPong() error {
	return on(first, func(socket *websocket.Conn) error {
		var pongs []string
		socket.SetPongHandler(func(payload string) error {
			pongs = append(pongs, payload)
			return nil
		})
		pings := []string{"", "here?", strings.Repeat("p", 125)}
		for _, payload := range pings {
			deadline := time.Now().Add(20 * time.Second)
			if err := socket.WriteControl(websocket.PingMessage, []byte(payload), deadline); err != nil {
				return err
			}
		}
		// Handlers run while a message is read, and the pongs come before it.
		if err := echoes(socket, websocket.TextMessage, []byte("behind")); err != nil {
			return err
		}
		if strings.Join(pongs, "|") != strings.Join(pings, "|") || len(pongs) != len(pings) {
			return fmt.Errorf("pongs %q", pongs)
		}
		return nil
	})
}

func answersPings() error {
	return on(second, func(socket *websocket.Conn) error {
		answer := socket.PingHandler()
		pings := 0
		socket.SetPingHandler(func(payload string) error {
			if err := answer(payload); err != nil {
				return err
			}
			if pings++; pings == enoughPings {
				return socket.WriteMessage(websocket.TextMessage, []byte("still here"))
			}
			return nil
		})
		return expectMessage(socket, websocket.TextMessage, []byte("still here"))
	})
}

func agreesOnSubprotocol() error {
	for _, row := range []struct {
		offers []string
		agreed string
	}{
		{[]string{"chat.v1", "chat.v2"}, "chat.v2"},
		{[]string{"chat.v1", "other"}, "chat.v1"},
		{[]string{"other"}, ""},
	} {
		offering := websocket.Dialer{Subprotocols: row.offers}
		socket, _, err := offering.Dial(first+"/echo", nil)
		if err != nil {
			return err
		}
		socket.Close()
		if socket.Subprotocol() != row.agreed {
			return fmt.Errorf("%q agreed for the offers %q", socket.Subprotocol(), row.offers)
		}
	}
	return nil
}

// After `send` the server must close with the code, and then the connection.
func closedWith(code int, send func(*websocket.Conn) error) error {
	return on(first, func(socket *websocket.Conn) error {
		sendError := send(socket) // it may be told before it has sent everything
		_, _, err := socket.ReadMessage()
		var closed *websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != code {
			return fmt.Errorf("expected a close with %d, got %v (sending: %v)", code, err, sendError)
		}
		return nil
	})
}

func sendClose(payload []byte) func(*websocket.Conn) error {
	return func(socket *websocket.Conn) error {
		return socket.WriteControl(websocket.CloseMessage, payload, time.Now().Add(20*time.Second))
	}
}

func sendMessage(kind int, message []byte) func(*websocket.Conn) error {
	return func(socket *websocket.Conn) error { return socket.WriteMessage(kind, message) }
}

func closes() error {
	for _, code := range []int{1000, 3000, 4001} {
		if err := closedWith(code, sendClose(websocket.FormatCloseMessage(code, "bye"))); err != nil {
			return err
		}
	}
	return nil
}

func closesWithoutCode() error {
	return closedWith(websocket.CloseNoStatusReceived, sendClose(nil))
}

func isClosedPastLimit() error {
	for _, send := range []func(*websocket.Conn) error{
		sendMessage(websocket.TextMessage, []byte(strings.Repeat("x", limitBytes+1))),
		sendMessage(websocket.BinaryMessage, pattern(1<<20)),
		func(socket *websocket.Conn) error {
			return writeFragments(socket, websocket.BinaryMessage, pattern(limitBytes+1))
		},
	} {
		if err := closedWith(1009, send); err != nil {
			return err
		}
	}
	return nil
}

func isClosedForBadText() error {
	for _, text := range []string{"caf\xe9", "\xed\xa0\x80", "\xff", "\xf0\x9f"} {
		if err := closedWith(1007, sendMessage(websocket.TextMessage, []byte(text))); err != nil {
			return err
		}
	}
	return nil
}

func refusedWith(status int, url, origin string) error {
	_, response, err := dial(url, origin)
	if err != websocket.ErrBadHandshake || response.StatusCode != status {
		return fmt.Errorf("expected %d for %s from %q, got %v", status, url, origin, err)
	}
	return nil
}

func isRefusedAtUnknownPath() error {
	for _, path := range []string{"/nothing", "/", "/echo/x"} {
		if err := refusedWith(404, first+path, ""); err != nil {
			return err
		}
	}
	return nil
}

func isRefusedFromOtherOrigin() error {
	for _, origin := range []string{"http://elsewhere.example", "http://127.0.0.1", "null"} {
		if err := refusedWith(403, first+"/echo", origin); err != nil {
			return err
		}
	}
	return refusedWith(403, second+"/echo", "https://example.com.evil.test")
}

func isWelcomeFromAllowedOrigin() error {
	for _, row := range [][2]string{
		{first, strings.Replace(first, "ws:", "http:", 1)},
		{second, "http://127.0.0.1:1234"},
		{second, "https://app.example.com"},
	} {
		socket, _, err := dial(row[0]+"/echo", row[1])
		if err != nil {
			return fmt.Errorf("from %s: %v", row[1], err)
		}
		err = echoes(socket, websocket.TextMessage, []byte("welcome"))
		socket.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// By hand: the library speaks version 13 only.
func isRefusedForVersion() error {
	host := strings.TrimPrefix(first, "ws://")
	connection, err := net.DialTimeout("tcp", host, 20*time.Second)
	if err != nil {
		return err
	}
	defer connection.Close()
	fmt.Fprintf(connection, "GET /echo HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+
		"Sec-WebSocket-Version: 12\r\n\r\n", host)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		return err
	}
	if response.StatusCode != 426 || response.Header.Get("Sec-WebSocket-Version") != "13" {
		return fmt.Errorf("got %s with %v", response.Status, response.Header)
	}
	return nil
}

func compresses() error {
	compressing := dialer
	compressing.EnableCompression = true
	socket, response, err := compressing.Dial(third+"/echo", nil)
	if err != nil {
		return err
	}
	defer socket.Close()
	if chosen := response.Header.Get("Sec-WebSocket-Extensions"); !strings.HasPrefix(chosen, "permessage-deflate") {
		return fmt.Errorf("the server chose the extensions %q", chosen)
	}
	if err := socket.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	for i := 0; i < 1000; i++ {
		text := strings.Repeat(fmt.Sprintf(`{"id":%d,"name":"user"},`, i%97), i%60+1)
		if err := echoes(socket, websocket.TextMessage, []byte(text)); err != nil {
			return err
		}
	}
	return echoes(socket, websocket.BinaryMessage, pattern(2*limitBytes))
}

func isToldWhenServerLeaves() error {
	return closedWith(1001, func(socket *websocket.Conn) error {
		if err := echoes(socket, websocket.TextMessage, []byte("before")); err != nil {
			return err
		}
		fmt.Println("leave")
		return nil
	})
}

func main() {
	first, second, third = os.Args[1], os.Args[2], os.Args[3]
	failed := false
	for _, check := range []struct {
		name string
		run  func() error
	}{
		{"echoes text", echoesText},
		{"echoes binary", echoesBinary},
		{"echoes text that is not ASCII", echoesNonASCII},
		{"gets many messages back in order", keepsOrder},
		{"sends a message in fragments", sendsFragments},
		{"gets a pong for its ping", getsPong},
		{"answers the server's pings", answersPings},
		{"agrees on a subprotocol", agreesOnSubprotocol},
		{"closes with a code and gets it back", closes},
		{"closes without a code", closesWithoutCode},
		{"is closed with 1009 past the limit", isClosedPastLimit},
		{"is closed with 1007 for bad text", isClosedForBadText},
		{"is refused with 404 at an unknown path", isRefusedAtUnknownPath},
		{"is refused with 403 from another origin", isRefusedFromOtherOrigin},
		{"is welcome from its own and from an allowed origin", isWelcomeFromAllowedOrigin},
		{"is refused with 426 for another version", isRefusedForVersion},
		{"compresses", compresses},
		{"is told 1001 when the server leaves", isToldWhenServerLeaves},
	} {
		if err := check.run(); err != nil {
			failed = true
			fmt.Printf("not ok %s: %v\n", check.name, err)
		} else {
			fmt.Printf("ok %s\n", check.name)
		}
	}
	if failed {
		os.Exit(1)
	}
}
