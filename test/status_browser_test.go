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

// visit follows the link that the command prints.
func (c *chromium) visit(link string) {
	c.Helper()
	c.do(chromedp.Navigate(link))
	c.eventually("the page with the clients", `document.documentElement.className === "js" && !!document.querySelector("article h2")`, "true")
}

// openStatus opens the status page as 'tokens status --web' does.
func openStatus(t *testing.T, o *operated) (c *chromium, origin string) {
	c = newChromium(t)
	link := rig.Start(t, o.home, "tokens", "status", "--web", "--no-browser").Printed(addressToOpen)
	origin, _, _ = strings.Cut(link, "/?")
	c.visit(link)
	return c, origin
}

// press presses keys, one after the other.
func (c *chromium) press(keys ...string) {
	c.Helper()
	for _, key := range keys {
		c.do(chromedp.KeyEvent(key))
	}
}

// fits checks that nothing needs sideways scrolling on a screen of that width.
func (c *chromium) fits(width int64) {
	c.Helper()
	tell(c, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 800, DeviceScaleFactor: 2, Mobile: true})
	if got := c.value(`document.documentElement.scrollWidth`); got != strconv.FormatInt(width, 10) {
		wide := c.value(`[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > ` + strconv.FormatInt(width, 10) + `).map(e => e.tagName + "." + e.className).slice(0, 5).join(" ")`)
		c.Errorf("the page is %s pixels wide on a screen of %d: %s", got, width, wide)
	}
}

const (
	barsValue = `parseFloat(document.querySelector(".left").getAttribute("width"))`
	rowNames  = `[...document.querySelectorAll("article h2")].map(h => h.textContent).slice(0, 4).join(" ")`
	rowCount  = `document.querySelectorAll("article").length`
)

func TestTheStatusPageMovesAndAsksNothingElsewhere(t *testing.T) {
	o := operate(t, unedited)
	c, origin := openStatus(t, o)
	before, _ := strconv.ParseFloat(c.value(barsValue), 64)
	if before < 90 || before > 100 {
		t.Errorf("the bar is at %v of a new token", before)
	}
	rig.Eventually(t, "the bar goes down", func() bool {
		now, err := strconv.ParseFloat(c.value(barsValue), 64)
		return err == nil && now < before && now > before-5
	})
	c.eventually("how old it is", `document.getElementById("live").textContent.startsWith("Live, ")`, "true")

	c.mu.Lock()
	defer c.mu.Unlock()
	for _, address := range c.requests {
		if !strings.HasPrefix(address, origin+"/") && !strings.HasPrefix(address, "data:image/svg+xml,") {
			t.Errorf("the page asks for %s", address)
		}
	}
	if len(c.requests) < 4 || len(c.troubles) > 0 {
		t.Errorf("%d requests were seen, and trouble: %v", len(c.requests), c.troubles)
	}
}

func TestTheStatusPageIsUsableWithAKeyboardAndAScreenReader(t *testing.T) {
	o := operate(t, unedited)
	c, _ := openStatus(t, o)
	c.press("j")
	if on := c.value(`document.activeElement.matches("summary") && document.activeElement.textContent.includes("demo")`); on != "true" {
		t.Fatalf("j leads to %s", on)
	}
	if style := c.value(`getComputedStyle(document.activeElement).outlineStyle`); style == "none" {
		t.Error("the focus cannot be seen")
	}
	c.press(kb.Enter)
	c.eventually("the history is there", `!!document.querySelector("details[open] .history")`, "true")
	spoken := c.spoken()
	for _, want := range []string{
		"heading: lamplighter", "heading: demo", "button: Refresh the token of demo", "button: Log in for demo in this browser", "article: demo",
		"searchbox: Find a client", "combobox: Sort", "main: Clients", "columnheader: Event", "cell: token_obtained",
	} {
		if !spoken[want] {
			t.Errorf("a screen reader finds no %q in %v", want, spoken)
		}
	}
	if bar := c.value(`document.querySelector(".life").getAttribute("aria-label")`); !strings.HasPrefix(bar, "The token of demo is valid for ") {
		t.Errorf("the bar is called %q", bar)
	}
	c.press("r")
	c.eventually("the token is refreshed", `document.querySelector("[role=status]")?.textContent`, "New token obtained: generation 2.")
	c.eventually("the new page listens", `document.documentElement.className`, "js")
	c.press("/", "x", "y")
	c.eventually("nobody is found", rowCount, "0")
	c.press(kb.Backspace, kb.Backspace)
	c.eventually("the client is there again", rowCount, "1")
	c.press(kb.Escape, "j")
	if at := c.value(`document.activeElement.closest("article")?.id`); at != "demo" {
		t.Errorf("after what was fetched anew, j leads to %s", at)
	}
}

func TestTheStatusPageWorksWithoutScripts(t *testing.T) {
	o := operate(t, unedited)
	c, _ := openStatus(t, o)
	tell(c, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	c.do(chromedp.Navigate(c.value(`location.origin`) + "/"))
	c.do(chromedp.Click(chromedp.CSS("article summary"), chromedp.NodeVisible), chromedp.Click(chromedp.CSS("article .more a"), chromedp.NodeVisible))
	c.do(chromedp.Click(chromedp.CSS("form[action='/refresh'] button"), chromedp.NodeVisible))
	rig.Eventually(t, "the token is refreshed", func() bool { return o.stats().TokenRequests == 2 })
}

func TestALostGrantIsCuredFromTheStatusPage(t *testing.T) {
	o := operate(t, unedited)
	c, _ := openStatus(t, o)
	o.control("revoke", nil)
	o.tokens(1, "", "refresh", "demo")
	c.eventually("the loss comes up by itself", `document.title`, "1 needs you · lamplighter")
	c.do(chromedp.Navigate(c.value(`location.origin`) + "/"))
	c.eventually("and is explained", `document.querySelector(".trouble b")?.textContent`, "refused")
	_, token := o.login()
	c.do(chromedp.Click(chromedp.CSS(".import > summary"), chromedp.NodeVisible))
	c.do(chromedp.SendKeys(chromedp.CSS("input[name=refresh_token]"), token+kb.Enter, chromedp.NodeVisible))
	c.eventually("the token is taken", `document.querySelector("[role=status]")?.textContent`, "New token obtained: generation 2.")
	c.eventually("all is well", `document.title`, "all well · lamplighter")
	if page := c.value(`document.documentElement.outerHTML`); strings.Contains(page, token) {
		t.Error("the page holds the refresh token")
	}
}

func TestTheStatusPageOfAThousandClients(t *testing.T) {
	in := newFakeInstance(t, 993)
	c, page := in.open(t)
	for what, want := range map[string]string{
		rowCount: "1000", rowNames: "erp crm warehouse billing", "document.title": "1 needs you · lamplighter",
		`[...document.querySelectorAll(".chip")].map(c => c.textContent).join(", ")`:  "1000 all, 1 needs you, 2 in trouble, 997 ok",
		`document.querySelector("link[rel=icon]").href.includes("d0342c")`:            "true",
		`document.getElementById("where").textContent.includes("holds 1, follows 1")`: "true",
		`document.querySelectorAll("details[open] .history").length`:                  "1",
		`document.querySelector("#refused li").textContent.includes("401")`:           "true",
	} {
		c.eventually(what, what, want)
	}
	c.do(chromedp.Click(chromedp.CSS(".chip.wait"), chromedp.NodeVisible))
	c.eventually("those in trouble", rowNames, "crm warehouse")
	c.do(chromedp.Click(chromedp.CSS(".chip.plain"), chromedp.NodeVisible))
	c.eventually("all of them", rowCount, "1000")
	c.do(chromedp.SendKeys(chromedp.CSS("input[type=search]"), "0042", chromedp.NodeVisible))
	c.eventually("the one that is looked for", rowNames, "client-0042")
	c.value(`document.querySelector("input[type=search]").select()`)
	c.press(kb.Backspace)
	c.value(`const s = document.querySelector("select"); s.value = "name"; s.dispatchEvent(new Event("input", {bubbles: true}))`)
	c.eventually("sorted by name", rowNames, "billing client-0000 client-0001 client-0002")
	in.away.Store(true)
	c.eventually("the instance is out of reach", `document.title`, "out of reach · lamplighter")
	c.eventually("what was seen last stays", rowCount, "1000")
	page.Kill()
	c.eventually("the page says that it is stale", `document.title`, "stale · lamplighter")
	if said := c.value(`document.getElementById("stale").textContent`); !strings.HasPrefix(said, "Stale: ") {
		t.Errorf("it says %q", said)
	}
}

func TestTheStatusPageIsReadableInLightAndDarkAndOnNarrowScreens(t *testing.T) {
	c, _ := newFakeInstance(t, 0).open(t)
	c.eventually("what needs somebody is open", `!!document.querySelector("#erp .history")`, "true")
	c.eventually("what runs, and for how long", `document.querySelector(".runs").textContent`, "v1.0.0, up for 3d")
	for _, scheme := range []string{"light", "dark"} {
		c.prefer(scheme)
		if dark := c.value(`matchMedia("(prefers-color-scheme: dark)").matches`); dark != strconv.FormatBool(scheme == "dark") {
			t.Fatalf("the browser was told nothing: %s in %s", dark, scheme)
		}
		for _, selector := range []string{
			"h1", ".where", ".chip.bad", ".chip.wait", ".chip.ok", "#erp h2", "#erp .state", "#crm .state", "#billing .state", "#billing .when", "#erp .trouble p",
			"#erp .trouble time", "#erp .copy", "#erp .command code", "#erp .orders button", "dt", "dd", "caption", "th", "td", "td.bad", "td.ok", "#refused time", "#refused a", "footer", "kbd",
		} {
			if ratio := c.contrast(selector); ratio < 4.5 {
				t.Errorf("%s: the contrast of %s is %.1f, want 4.5", scheme, selector, ratio)
			}
		}
		c.picture(map[string]string{"light": "status.png", "dark": "status-dark.png"}[scheme])
	}
	c.do(chromedp.Click(chromedp.CSS(".import > summary"), chromedp.NodeVisible))
	c.fits(375)
	c.do(chromedp.Click(chromedp.CSS(".import > summary"), chromedp.NodeVisible))
	c.prefer("light")
	c.picture("status-narrow.png")
}
