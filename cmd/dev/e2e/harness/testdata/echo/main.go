// Echo is a small program for the harness's own tests: it serves its greeting, says goodbye on SIGTERM and, told to be
// stubborn, does not go.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	fmt.Println("hello from", os.Getenv("ECHO_NAME"))
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	go func() {
		<-asked
		fmt.Fprintln(os.Stderr, "goodbye")
		if len(os.Args) == 1 {
			os.Exit(3)
		}
	}()
	err := http.ListenAndServe(os.Getenv("ECHO_ADDRESS"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, os.Getenv("ECHO_NAME"))
	}))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
