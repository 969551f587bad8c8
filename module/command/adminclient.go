package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/redact"
	"lamplighter/module/service"
)

// adminClient talks to the admin API of a running instance, for the commands.
// Caddy's own helper hides the status of an answer.
type adminClient struct {
	address string
	origin  string
	tcp     bool   // Origin is checked
	flags   string // that led to it
	http    *http.Client
}

// notReachedError says that no instance answers.
type notReachedError struct {
	address string
	err     error
	unit    string // of a service that this machine has, "" if it has none
}

// Error says what to do about it.
func (e *notReachedError) Error() string {
	text := fmt.Sprintf("no instance answers at %s: %v", e.address, e.err)
	switch {
	case errors.Is(e.err, fs.ErrPermission):
		return text + "; only root and the user that it runs as may open it: use sudo, or be that user"
	case e.unit != "":
		return text + "; is the service running (systemctl status " + e.unit + "), and is this its admin address? (--address, --config or CADDY_ADMIN choose another)"
	}
	return text + "; is it running, and is this its admin address? (--address, --config or CADDY_ADMIN choose another)"
}

func newAdminClient(fl caddycmd.Flags) (*adminClient, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(fl.String("address"), nil, fl.String("config"), fl.String("adapter"))
	if err != nil {
		return nil, err
	}
	address, _, _ = strings.Cut(address, "|") // the mode of a socket
	parsed, err := caddy.ParseNetworkAddress(address)
	if err != nil || parsed.PortRangeSize() > 1 {
		return nil, fmt.Errorf("admin address %s: write host:port or unix/<path>", address)
	}
	network, target := parsed.Network, parsed.JoinHostPort(0)
	a := &adminClient{address: address, origin: "http://" + target, tcp: !parsed.IsUnixNetwork(), flags: flagsOf(fl)}
	if !a.tcp {
		a.origin = "http://127.0.0.1"
	}
	a.http = &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			d := net.Dialer{Timeout: 10 * time.Second}
			return d.DialContext(ctx, network, target)
		},
	}}
	return a, nil
}

// flagsOf returns the flags that led a command to its instance, as a shell takes them;
// "" if there were none.
func flagsOf(fl caddycmd.Flags) (flags string) {
	names := []string{"config", "adapter"}
	if fl.String("address") != "" {
		names = []string{"address"} // which is all that counts then
	}
	for _, name := range names {
		if value := fl.String(name); value != "" {
			flags += "--" + name + " " + redact.Quoted(value) + " "
		}
	}
	return flags
}

// call makes a request and decodes the answer, unless into is nil. A body is
// sent as JSON.
func (a *adminClient) call(method, uri string, body, into any) error {
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = strings.NewReader(string(b))
	}
	req, err := http.NewRequest(method, a.origin+uri, payload)
	if err != nil {
		return err
	}
	if a.tcp {
		req.Header.Set("Origin", a.origin)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := a.http.Do(req)
	if err != nil {
		if withURL, ok := errors.AsType[*url.Error](err); ok {
			err = withURL.Err
		}
		e := &notReachedError{address: a.address, err: err}
		if service.Installed() {
			e.unit = service.Unit()
		}
		return e
	}
	defer res.Body.Close()
	if res.StatusCode >= 400 {
		return refusal(res)
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		return fmt.Errorf("reading the answer of the admin API: %w", err)
	}
	a.makeReadable(reflect.ValueOf(into))
	return nil
}

// refusal is the error that the admin API answered.
func refusal(res *http.Response) error {
	b, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	var answer struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(b, &answer) != nil || answer.Error == "" {
		answer.Error = strings.TrimSpace(string(b))
	}
	if res.StatusCode == http.StatusNotFound && strings.Contains(answer.Error, "404 page not found") {
		return errors.New("the program that answers knows no tokens: it is something else, or a Caddy without this module; choose another with --address, --config or CADDY_ADMIN")
	}
	return errors.New(redact.Text(answer.Error))
}

// makeReadable escapes all texts of an answer: it may be another program's, or be about
// what another has written. A command in one is to reach the same instance.
func (a *adminClient) makeReadable(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			a.makeReadable(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			a.makeReadable(v.Index(i))
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			a.makeReadable(field)
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(adminapi.WithFlags(redact.Visible(v.String()), a.flags))
		}
	default: // holds no text
	}
}
