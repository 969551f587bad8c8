package client

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"lamplighter/module/inject"
	"lamplighter/module/internal/filestore"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/observe"
	"lamplighter/module/settings"
)

// clientWithToken has a valid token.
func clientWithToken(tb testing.TB, name string, drain bool) *Client {
	tb.Helper()
	in, err := inject.Compile([]inject.Injection{{Name: "Authorization", Value: "Bearer {access_token}"}}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	records := filestore.NewFile(filepath.Join(tb.TempDir(), "records"))
	c := &Client{name: name, kind: &kind{cfg: new(settings.Client)}, inject: inject.Injector{Injections: in}, keeper: keeper.New(name, records, nil), counts: new(observe.Counts)}
	stop := c.keeper.Start(keeper.Settings{
		Settings: step.Settings{Drain: drain, RefreshWindowRatio: 1.0 / 3, Timeout: time.Second},
		Resolve: func() (keeper.Inputs, error) {
			return keeper.Inputs{Ask: func(_ context.Context, q keeper.Request) tokenendpoint.Answer {
				if err := q.BeforeSend(); err != nil {
					tb.Error(err)
				}
				return tokenendpoint.Answer{Outcome: tokenendpoint.Granted, AccessToken: "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJlcnAifQ", ExpiresIn: time.Hour}
			}}, nil
		},
	})
	tb.Cleanup(stop)
	if _, err := c.keeper.Acquire(tb.Context(), 10*time.Second, false); err != nil {
		tb.Fatal(err)
	}
	return c
}

func requestOfAnApplication() *http.Request {
	req := httptest.NewRequest(http.MethodGet, "/orders?page=2", nil)
	req.Header = http.Header{"Accept": {"*/*"}, "User-Agent": {"legacy/1.0"}, "X-Forwarded-For": {"127.0.0.1"}, "X-Request-Id": {"42"}}
	return req
}

// cloned is what every transport must do that changes a request.
func cloned(req *http.Request) *http.Request {
	out := new(http.Request)
	*out = *req
	out.Header = maps.Clone(req.Header)
	u := *req.URL
	out.URL = &u
	out.Header["Authorization"] = static
	return out
}

var static = []string{"Bearer static"}

// withToken is what the transport does besides sending.
func (c *Client) withToken(req *http.Request) *http.Request {
	p, err := c.Pass(req, time.Second, true)
	if err != nil {
		panic(err)
	}
	out := p.Into(req)
	c.Count(observe.Sent, "")
	p.Answered()
	if p.Rejects(req, accepting) {
		panic("rejected")
	}
	p.Accepted(req)
	return out
}

var accepting = &http.Response{StatusCode: http.StatusOK}

var sink atomic.Pointer[http.Request]

func TestAValidTokenCostsNoAllocationBesidesTheClonedRequest(t *testing.T) {
	for _, drain := range []bool{false, true} {
		c, req := clientWithToken(t, "erp", drain), requestOfAnApplication()
		least := testing.AllocsPerRun(100, func() { sink.Store(cloned(req)) })
		got := testing.AllocsPerRun(100, func() { sink.Store(c.withToken(req)) })
		if got > least {
			t.Errorf("drain %v: %v allocations, %v of them to clone the request", drain, got, least)
		}
	}
}

// BenchmarkToken compares a request with a token of a client with the same one
// with a static header, turn and turn about, since machines get faster and slower:
// more-ns/op is what this project costs.
func BenchmarkToken(b *testing.B) {
	for name, drain := range map[string]bool{"until_expiry": false, "none": true} {
		b.Run(name, func(b *testing.B) {
			c, req := clientWithToken(b, "erp", drain), requestOfAnApplication()
			const batch = 1000
			var least, full time.Duration
			b.ReportAllocs()
			for b.Loop() {
				begin := time.Now()
				for range batch {
					sink.Store(cloned(req))
				}
				between := time.Now()
				for range batch {
					sink.Store(c.withToken(req))
				}
				least += between.Sub(begin)
				full += time.Since(between)
			}
			b.ReportMetric(float64(full-least)/float64(b.N*batch), "more-ns/op")
			b.ReportMetric(float64(full)/float64(least), "times")
		})
	}
}

// BenchmarkTokenOnAllCores shows that requests do not wait for each other.
func BenchmarkTokenOnAllCores(b *testing.B) {
	for _, clients := range []int{1, 100} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			list := make([]*Client, clients)
			for i := range list {
				list[i] = clientWithToken(b, fmt.Sprintf("client-%d", i), true)
			}
			var started atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				req := requestOfAnApplication()
				for i := int(started.Add(1)); pb.Next(); i++ {
					list[i%clients].withToken(req)
				}
			})
		})
	}
}
