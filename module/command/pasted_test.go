package command

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"lamplighter/module/adminapi"
)

func TestAnAddressIsPastedWhereTheBrowserCannotComeBack(t *testing.T) {
	v := &visitor{path: "/callback", state: "the-state", brought: make(chan adminapi.LoginRequest, 1)}
	var out bytes.Buffer
	v.pasted(strings.NewReader("no address\n\n"+
		"http://127.0.0.1:8400/elsewhere?state=the-state&code=wrong\n"+
		"http://127.0.0.1:8400/callback?state=another&code=wrong\n"+
		"  http://127.0.0.1:8400/callback?state=the-state&code=the-code  \n"), &out)
	if len(v.brought) != 1 {
		t.Fatalf("no code was taken: %s", &out)
	}
	if brought := <-v.brought; brought.Code != "the-code" {
		t.Errorf("got %+v", brought)
	}
	for _, words := range []string{"no address", "is not the one", "not the log-in", "how the log-in ended"} {
		if !strings.Contains(out.String(), words) {
			t.Errorf("no %q in %s", words, &out)
		}
	}
	if strings.Contains(out.String(), "the-code") || strings.Contains(out.String(), "wrong") {
		t.Errorf("a code is shown: %s", &out)
	}
	v.pasted(strings.NewReader("http://127.0.0.1:8400/callback?state=the-state&error=access_denied\n"), &out)
	if refused := <-v.brought; refused.Error != "access_denied" {
		t.Errorf("got %+v", refused)
	}
}

func TestWhoeverHasNoTerminalIsToldHowElseToLogIn(t *testing.T) {
	redirect, err := url.Parse("http://127.0.0.1:8400/callback")
	if err != nil {
		t.Fatal(err)
	}
	for terminal, words := range map[bool][]string{
		true:  {"paste that address here", redirect.String()},
		false: {"docker exec -it", "kubectl exec -it", "--device", redirect.String()},
	} {
		for _, want := range words {
			if got := wayBack(redirect, terminal); !strings.Contains(got, want) {
				t.Errorf("with a terminal %v: no %q in %s", terminal, want, got)
			}
		}
	}
	if got := wayBack(redirect, false); strings.Contains(got, "here:") {
		t.Errorf("nothing can be pasted there: %s", got)
	}
}

func TestABrowserThatIsNotThereIsToldOf(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if openBrowser("http://127.0.0.1:1/") == nil {
		t.Error("something was opened")
	}
}
