package demo

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"lamplighter/module/internal/sandbox"
)

// servers are the authorization server and the API.
type servers struct {
	authorizationServer, api net.Listener
	http                     [2]http.Server
}

// bind takes the servers' ports, and makes sure that the sidecar's is free, so
// that the demo starts as a whole or not at all.
func (d *demo) bind() (*servers, error) {
	s := new(servers)
	var err error
	if s.authorizationServer, err = bindFor("--authorization-server", &d.authorizationServer); err != nil {
		return nil, err
	}
	if s.api, err = bindFor("--api", &d.api); err != nil {
		s.close()
		return nil, err
	}
	if d.serverOnly {
		return s, nil
	}
	sidecar, err := bindFor("--listen", &d.listen)
	if err != nil {
		s.close()
		return nil, err
	}
	return s, sidecar.Close()
}

// bindFor listens on an address, and sets its port if that was 0.
func bindFor(flag string, address *string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", *address)
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with %s", err, flag)
	}
	*address = listener.Addr().String()
	return listener, nil
}

func (s *servers) serve(sandbox *sandbox.Server) {
	for i, handler := range []http.Handler{sandbox.AuthorizationServer(), sandbox.API()} {
		s.http[i].Handler = handler
		s.http[i].ReadHeaderTimeout = 10 * time.Second
	}
	go func() { _ = s.http[0].Serve(s.authorizationServer) }()
	go func() { _ = s.http[1].Serve(s.api) }()
}

func (s *servers) close() {
	for i := range s.http {
		_ = s.http[i].Close()
	}
	_ = s.authorizationServer.Close()
	if s.api != nil {
		_ = s.api.Close()
	}
}
