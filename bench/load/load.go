// Package load sends requests, and says how long their answers took.
//
// It is a process of its own, so that its work is not counted as anybody else's: a binary
// that uses it calls [Serve] when [Command] is its first argument.
package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Command makes a binary the load generator.
const Command = "load"

// patience is how long one request may take.
const patience = 30 * time.Second

// Order is what the load generator is asked to do.
type Order struct {
	Address  string        `json:"address"`
	Duration time.Duration `json:"duration"`

	// Connections is how many connections send one request after the other.
	Connections int `json:"connections,omitempty"`

	// Rate is how many requests begin each second, whether or not those before
	// them are answered. Latency counts from when a request was due.
	Rate int `json:"rate,omitempty"`
}

// Outcome is what the load generator found. Latencies are in microseconds.
type Outcome struct {
	Requests int64   `json:"requests"`
	Failed   int64   `json:"failed"`
	Why      string  `json:"why,omitempty"` // the first failure
	Seconds  float64 `json:"seconds"`
	P50      float64 `json:"p50"`
	P99      float64 `json:"p99"`
	P999     float64 `json:"p999"`
	Max      float64 `json:"max"`
}

// Err returns an error if a request failed.
func (o Outcome) Err() error {
	if o.Failed == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d requests failed, the first with: %s", o.Failed, o.Requests, o.Why)
}

// Run has a process of its own send requests.
func Run(ctx context.Context, o Order) (Outcome, error) {
	self, err := os.Executable()
	if err != nil {
		return Outcome{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Duration+patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, Command)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return Outcome{}, err
	}
	cmd.Stderr = os.Stderr
	go func() {
		_ = json.NewEncoder(stdin).Encode(o)
		_ = stdin.Close()
	}()
	out, err := cmd.Output()
	if err != nil {
		return Outcome{}, fmt.Errorf("the load generator: %w", err)
	}
	var found Outcome
	return found, json.Unmarshal(out, &found)
}

// Serve is the load generator.
func Serve(in io.Reader, out io.Writer) error {
	var o Order
	if err := json.NewDecoder(in).Decode(&o); err != nil {
		return err
	}
	g := &generator{Order: o, latencies: newHistogram()}
	began := time.Now()
	if o.Rate > 0 {
		g.open(began)
	} else {
		g.closed(began)
	}
	return json.NewEncoder(out).Encode(g.outcome(time.Since(began)))
}

// generator sends requests.
type generator struct {
	Order
	mu        sync.Mutex
	latencies *hdrhistogram.Histogram
	requests  int64
	failed    int64
	why       error
	idle      []*connection
}

// newHistogram counts microseconds, up to a minute, to three digits.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, time.Minute.Microseconds(), 3)
}

func (g *generator) outcome(took time.Duration) Outcome {
	out := Outcome{
		Requests: g.requests, Failed: g.failed, Seconds: took.Seconds(),
		P50:  float64(g.latencies.ValueAtQuantile(50)),
		P99:  float64(g.latencies.ValueAtQuantile(99)),
		P999: float64(g.latencies.ValueAtQuantile(99.9)),
		Max:  float64(g.latencies.Max()),
	}
	if g.why != nil {
		out.Why = g.why.Error()
	}
	return out
}

// closed keeps each connection busy with one request after the other.
func (g *generator) closed(began time.Time) {
	var wg sync.WaitGroup
	for range g.Connections {
		wg.Go(func() {
			mine := newHistogram()
			var requests, failed int64
			var why error
			for c := new(connection); time.Since(began) < g.Duration; {
				sent := time.Now()
				requests++
				if err := c.get(g.Address); err != nil {
					failed++
					why = err
					c = new(connection)
					time.Sleep(time.Millisecond)
					continue
				}
				_ = mine.RecordValue(time.Since(sent).Microseconds())
			}
			g.mu.Lock()
			defer g.mu.Unlock()
			g.requests += requests
			g.failed += failed
			g.why = errors.Join(g.why, why)
			g.latencies.Merge(mine)
		})
	}
	wg.Wait()
}

// open begins requests at a constant rate, each at its time.
func (g *generator) open(began time.Time) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var wg sync.WaitGroup
	for i := range int(g.Duration.Seconds() * float64(g.Rate)) {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(g.Rate))
		sleepUntil(due)
		wg.Go(func() { g.one(due) })
	}
	wg.Wait()
}

func (g *generator) one(due time.Time) {
	c := g.take()
	err := c.get(g.Address)
	took := time.Since(due).Microseconds()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests++
	_ = g.latencies.RecordValue(took)
	if err == nil {
		g.idle = append(g.idle, c)
		return
	}
	g.failed++
	if g.why == nil {
		g.why = err
	}
}

// take returns the connection that was used last, or a new one.
func (g *generator) take() *connection {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.idle) == 0 {
		return new(connection)
	}
	last := len(g.idle) - 1
	c := g.idle[last]
	g.idle = g.idle[:last]
	return c
}

// connection is a connection of HTTP/1.1 that is kept alive.
type connection struct {
	conn net.Conn
	in   *bufio.Reader
}

var request = []byte("GET /orders HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")

// get sends a request and reads its answer, which must be 200.
func (c *connection) get(address string) error {
	if c.conn == nil {
		conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", address)
		if err != nil {
			return err
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	err := c.exchange()
	if err != nil {
		_ = c.conn.Close()
	}
	return err
}

func (c *connection) exchange() error {
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("unexpected status %s", res.Status)
	}
	if res.Close {
		_ = c.conn.Close()
		c.conn = nil
	}
	return nil
}
