// Serve all services over h2c on one loopback port: `services PORT`.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/restatedev/sdk-go/server"
)

func main() {
	endpoint := server.NewRestate()
	for _, definition := range everything() {
		endpoint.Bind(definition)
	}
	if err := endpoint.Start(context.Background(), "127.0.0.1:"+os.Args[1]); err != nil {
		slog.Error("the endpoint ended", "error", err)
		os.Exit(1)
	}
}
