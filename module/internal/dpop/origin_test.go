package dpop_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/dpop"
)

func TestTheNewestNonceOfAServerIsUsed(t *testing.T) {
	var origins dpop.Origins
	o := origins.Of("https://api.example.com")
	if o.Nonce() != "" {
		t.Error("there is a nonce that nobody gave")
	}
	for _, given := range []string{"first", "second", ""} {
		o.Answered(given)
	}
	if got := origins.Of("https://api.example.com").Nonce(); got != "second" {
		t.Errorf("the nonce is %q", got)
	}
	if got := origins.Of("https://api.example.com:8443").Nonce(); got != "" {
		t.Errorf("another server's is %q", got)
	}
}

func TestWhatIsNoNonceIsNotUsed(t *testing.T) {
	for _, given := range []string{"a b", "a\"b", `a\b`, "a\nb", "ü", strings.Repeat("a", 1025)} {
		var o dpop.Origin
		if got := o.Answered(given); got != "" || o.Nonce() != "" {
			t.Errorf("%q is taken for a nonce", given)
		}
	}
}

func TestAServerIsAskedFirstWhileItMayWantANonce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o dpop.Origin
		if !o.AskFirst() {
			t.Error("of a server that nobody knows, it was thought to want none")
		}
		o.Answered("")
		if o.AskFirst() {
			t.Error("a server that wants none is asked")
		}
		o.Demands()
		if !o.AskFirst() {
			t.Error("a server that wants one, and gave none, is not asked")
		}
		o.Answered("n")
		if o.AskFirst() {
			t.Error("a server is asked that has just given one")
		}
		time.Sleep(time.Minute + time.Second)
		if !o.AskFirst() {
			t.Error("a server is not asked whose nonce is old")
		}
	})
}

func TestAClockThatDiffersIsLearnt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o dpop.Origin
		now := time.Now()
		for _, c := range []struct {
			date   time.Time
			differ bool
			ahead  time.Duration
		}{
			{now.Add(4 * time.Second), false, 0},
			{now.Add(2 * time.Minute), true, 2 * time.Minute},
			{now.Add(2*time.Minute + time.Second), false, 2 * time.Minute},
			{now.Add(2 * time.Hour), false, 2 * time.Minute}, // nobody's clock
			{now, true, 0},
		} {
			if got := o.Differs(c.date); got != c.differ || o.Ahead() != c.ahead {
				t.Errorf("%v: %v, and %s ahead", c, got, o.Ahead())
			}
		}
	})
}

func TestNoCallerFillsTheMemoryWithServers(t *testing.T) {
	var origins dpop.Origins
	for i := range 5000 {
		origins.Of(fmt.Sprintf("https://%d.example.com", i)).Answered("n")
	}
	kept := 0
	for i := range 5000 {
		if origins.Of(fmt.Sprintf("https://%d.example.com", i)).Nonce() != "" {
			kept++
		}
	}
	if kept > 1024 {
		t.Errorf("%d servers are remembered", kept)
	}
}
