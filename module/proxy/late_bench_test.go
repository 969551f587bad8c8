package proxy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"lamplighter/module"
	"lamplighter/module/client"
	"lamplighter/module/internal/keeper"
)

// BenchmarkLookAtItsExpiry is what each request costs more, and BenchmarkLate what one
// costs whose token is chosen again when its connection is there.
func BenchmarkLookAtItsExpiry(b *testing.B) {
	t := &Transport{HTTPTransport: new(reverseproxy.HTTPTransport)}
	token := &keeper.Token{ExpiresAt: time.Now().Add(time.Hour)}
	b.ReportAllocs()
	for b.Loop() {
		if t.mayOutlast(token) {
			b.Fatal("it may")
		}
	}
}

// passOf is a pass of a client that has a token.
func passOf(b *testing.B, req *http.Request) client.Pass {
	b.Helper()
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"access_token":"a","token_type":"Bearer","expires_in":3600}`)
	}))
	b.Cleanup(tokens.Close)
	config := fmt.Sprintf(`{"admin":{"disabled":true,"config":{"persist":false}},"apps":{"oauth2_client":{"clients":{"erp":{
		"token_endpoint":%q,"client_id":"id","client_secret":"secret","store":{"path":%q}}}}}}`, tokens.URL, filepath.Join(b.TempDir(), "records"))
	if err := caddy.Load([]byte(config), true); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = caddy.Stop() })
	app, err := caddy.ActiveContext().App("oauth2_client")
	if err != nil {
		b.Fatal(err)
	}
	c, err := app.(*module.App).Lookup("erp", nil, "")
	if err != nil {
		b.Fatal(err)
	}
	p, err := c.Pass(req, 10*time.Second, false)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

var sink atomic.Pointer[http.Request]

// BenchmarkLate has a request as Caddy's reverse_proxy makes it, which is traced already.
func BenchmarkLate(b *testing.B) {
	req := httptest.NewRequest(http.MethodGet, "/orders?page=2", nil)
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error { return nil }}))
	p := passOf(b, req)
	t := &Transport{HTTPTransport: new(reverseproxy.HTTPTransport)}
	b.ReportAllocs()
	for b.Loop() {
		l := &late{transport: t, pass: &p, out: req}
		sink.Store(l.watch())
		if err := l.choose(); err != nil {
			b.Fatal(err)
		}
		l.callOff(nil)
	}
}
