package test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"lamplighter/test/internal/rig"
)

var screenshot = flag.String("screenshot", "", "directory to write the documentation's picture of the status page to")

// chromium is a headless one, and what it was seen doing.
type chromium struct {
	*testing.T
	ctx context.Context

	mu       sync.Mutex
	requests []string
	troubles []string
}

// newChromium starts one. CHROMIUM names it where it has another name.
func newChromium(t *testing.T) *chromium {
	t.Helper()
	path := os.Getenv("CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		rig.Skip(t, "there is no Chromium here: install Debian's package chromium, or name one in CHROMIUM")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1000, 900), chromedp.WSURLReadTimeout(rig.Patience))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // root cannot have one, and only our own page is opened
	}
	allocated, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(allocated)
	t.Cleanup(end)
	c := &chromium{T: t, ctx: ctx}
	// The first use of ctx owns the browser, so it has no deadline.
	if err := chromedp.Listen(ctx, c.watch); err != nil {
		t.Fatal(err)
	}
	tell(c, network.Enable, network.EnableParams{})
	tell(c, runtime.Enable, cdp.Empty{})
	return c
}

func (c *chromium) watch(event any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		c.requests = append(c.requests, e.Request.URL)
	case *runtime.EventExceptionThrown:
		c.troubles = append(c.troubles, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		c.troubles = append(c.troubles, string(e.Type))
	}
}

func execute[T any](c *chromium, action chromedp.Action[T]) T {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, rig.Patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		c.Fatal(err)
	}
	return v
}

// tell sends a command of the DevTools protocol.
func tell[P, R any](c *chromium, command cdp.Command[P, R], params P) R {
	c.Helper()
	return execute(c, func(ctx context.Context, t *chromedp.Target) (R, error) { return cdp.Call(ctx, t, command, params) })
}

func (c *chromium) do(actions ...chromedp.Action[chromedp.Void]) {
	c.Helper()
	execute(c, chromedp.Steps(actions...))
}

// value evaluates a script.
func (c *chromium) value(script string) string {
	c.Helper()
	return fmt.Sprint(execute(c, chromedp.Evaluate[any](script)))
}

func (c *chromium) eventually(what, script, want string) {
	c.Helper()
	rig.Eventually(c.T, what, func() bool {
		ctx, cancel := context.WithTimeout(c.ctx, 5*time.Second)
		defer cancel()
		v, err := chromedp.Run(ctx, chromedp.Evaluate[any](script))
		return err == nil && fmt.Sprint(v) == want // amid a navigation there is an error
	})
}

// spoken returns what a screen reader finds, as "role: name".
func (c *chromium) spoken() map[string]bool {
	c.Helper()
	found := make(map[string]bool)
	for _, n := range tell(c, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes {
		if !n.Ignored {
			found[word(n.Role)+": "+word(n.Name)] = true
		}
	}
	return found
}

func word(v *accessibility.Value) (s string) {
	if v != nil {
		_ = json.Unmarshal(v.Value, &s)
	}
	return s
}

// picture takes one for the documentation.
func (c *chromium) picture(name string) {
	c.Helper()
	if *screenshot == "" {
		return
	}
	png := execute(c, chromedp.Screenshot(chromedp.CSS("body")))
	if err := os.WriteFile(filepath.Join(*screenshot, name), png, 0o644); err != nil {
		c.Fatal(err)
	}
}

func (c *chromium) prefer(scheme string) {
	c.Helper()
	tell(c, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
}

// contrast is that of an element's text with what is behind it (WCAG 2.2, 1.4.3).
func (c *chromium) contrast(selector string) float64 {
	c.Helper()
	colours := c.value(`(() => {
		const text = document.querySelector("` + selector + `");
		let behind = text;
		while (behind.parentElement && getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
		return getComputedStyle(text).color + ";" + getComputedStyle(behind).backgroundColor;
	})()`)
	text, back, _ := strings.Cut(colours, ";")
	a, b := luminance(c.T, text), luminance(c.T, back)
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

func luminance(t *testing.T, colour string) (l float64) {
	t.Helper()
	parts := regexp.MustCompile(`\d+`).FindAllString(colour, 3)
	if len(parts) != 3 {
		t.Fatalf("%q is no colour", colour)
	}
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, _ := strconv.ParseFloat(parts[i], 64)
		if n /= 255; n <= 0.04045 {
			l += weight * n / 12.92
		} else {
			l += weight * math.Pow((n+0.055)/1.055, 2.4)
		}
	}
	return l
}
