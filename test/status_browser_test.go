package test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"lamplighter/test/internal/rig"
)

// openStatus opens the status page as 'tokens status --web' does.
func openStatus(t *testing.T, o *operated) (c *chromium, origin string) {
	c = newChromium(t)
	link := rig.Start(t, o.home, "tokens", "status", "--web", "--no-browser").Printed(addressToOpen)
	origin, _, _ = strings.Cut(link, "/?")
	c.do(chromedp.Navigate(link))
	c.eventually("the page with the client", `document.querySelector("h2")?.textContent`, "demo")
	return c, origin
}

const barsValue = `document.querySelector("progress").value`

func TestTheStatusPageMovesAndAsksNothingElsewhere(t *testing.T) {
	o := operate(t, unedited)
	c, origin := openStatus(t, o)
	before, _ := strconv.ParseFloat(c.value(barsValue), 64)
	if before < 90 || before > 100 {
		t.Errorf("the bar is at %v of a new token", before)
	}
	rig.Eventually(t, "the bar goes down", func() bool {
		now, err := strconv.ParseFloat(c.value(barsValue), 64)
		return err == nil && now < before && now > before-2
	})
	c.eventually("the page is fetched anew by itself", `performance.getEntriesByType("resource").length > 0`, "true")

	c.mu.Lock()
	defer c.mu.Unlock()
	for _, address := range c.requests {
		if !strings.HasPrefix(address, origin+"/") {
			t.Errorf("the page asks for %s", address)
		}
	}
	if len(c.requests) < 3 || len(c.troubles) > 0 {
		t.Errorf("%d requests were seen, and trouble: %v", len(c.requests), c.troubles)
	}
}

func TestTheStatusPageIsUsableWithAKeyboardAndAScreenReader(t *testing.T) {
	o := operate(t, unedited)
	c, _ := openStatus(t, o)
	spoken := c.spoken()
	for _, want := range []string{
		"heading: Lamplighter: tokens", "heading: demo", "button: Refresh the token of demo",
		"progressbar: Lifetime of the token of demo that is left", "region: demo", "main: ",
	} {
		if !spoken[want] {
			t.Errorf("a screen reader finds no %q in %v", want, spoken)
		}
	}
	c.do(chromedp.KeyEvent(kb.Tab))
	if on := c.value(`document.activeElement.getAttribute("aria-label")`); on != "Refresh the token of demo" {
		t.Fatalf("the first Tab leads to %s", on)
	}
	if width := c.value(`getComputedStyle(document.activeElement).outlineStyle`); width == "none" {
		t.Error("the focus cannot be seen")
	}
	c.do(chromedp.KeyEvent(kb.Enter))
	c.eventually("the token is refreshed", `document.querySelector("[role=status]")?.textContent`, "Refreshed: generation 2.")
	for range 2 {
		c.do(chromedp.KeyEvent(kb.Tab))
	}
	c.do(chromedp.KeyEvent(kb.Enter))
	c.eventually("the history opens", `document.querySelector("details").open`, "true")
	if spoken := c.spoken(); !spoken["columnheader: Event"] || !spoken["cell: token_obtained"] {
		t.Errorf("the history is no table with headings: %v", spoken)
	}
}

func TestTheStatusPageWorksWithoutScripts(t *testing.T) {
	o := operate(t, unedited)
	c, _ := openStatus(t, o)
	tell(c, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	c.do(chromedp.Click(chromedp.CSS("button"), chromedp.NodeVisible))
	rig.Eventually(t, "the token is refreshed", func() bool { return o.stats().TokenRequests == 2 })
}

func TestTheStatusPageIsReadableInLightAndDark(t *testing.T) {
	o := operate(t, unedited)
	c, _ := openStatus(t, o)
	readable := func(scheme string, selectors ...string) {
		t.Helper()
		c.prefer(scheme)
		for _, selector := range selectors {
			if ratio := c.contrast(selector); ratio < 4.5 {
				t.Errorf("%s: the contrast of %s is %.1f, want 4.5", scheme, selector, ratio)
			}
		}
	}
	readable("dark", "h1", ".good", "dd")
	dark := c.value(`matchMedia("(prefers-color-scheme: dark)").matches`)
	readable("light", "h1", ".good", "dd")
	if light := c.value(`matchMedia("(prefers-color-scheme: dark)").matches`); dark != "true" || light != "false" {
		t.Fatalf("the browser was told nothing: %s, %s", dark, light)
	}

	o.control("revoke", nil)
	c.do(chromedp.Click(chromedp.CSS("button"), chromedp.NodeVisible))
	c.eventually("the loss is shown", `document.querySelector(".state")?.textContent`, "grant_lost")
	readable("dark", ".bad", ".remedy p")
	c.do(chromedp.Click(chromedp.CSS("summary"), chromedp.NodeVisible))
	readable("dark", "td.bad", "th")
	readable("light", "td.bad", "th", ".bad", ".remedy p")
	c.picture("status.png", o.home)
}
