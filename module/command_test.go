package module

import (
	"strings"
	"testing"
	"time"
)

func TestHealthExitCodes(t *testing.T) {
	ok := ClientStatus{Client: "ok", Token: "valid", State: "ok"}
	retrying := ClientStatus{Client: "retrying", Token: "valid", State: "backoff"}
	waiting := ClientStatus{Client: "waiting", Token: "none", State: "starting"}
	lost := ClientStatus{Client: "lost", Token: "valid", State: "grant_lost"}
	unsaved := ClientStatus{Client: "unsaved", Token: "valid", State: "ok", Unsaved: true}
	for name, tc := range map[string]struct {
		statuses []ClientStatus
		ready    bool
		names    []string
		want     int
		fails    bool
	}{
		"no clients":                            {want: healthy},
		"all well":                              {statuses: []ClientStatus{ok, retrying}, want: healthy},
		"a token is missing":                    {statuses: []ClientStatus{ok, waiting}, want: tokenMissing},
		"a human is needed":                     {statuses: []ClientStatus{ok, waiting, lost}, want: humanNeeded},
		"a grant is in memory only":             {statuses: []ClientStatus{ok, unsaved}, want: humanNeeded},
		"ready asks for tokens only":            {statuses: []ClientStatus{ok, lost}, ready: true, want: healthy},
		"ready without a token":                 {statuses: []ClientStatus{waiting}, ready: true, want: tokenMissing},
		"ready for some of them":                {statuses: []ClientStatus{ok, waiting}, ready: true, names: []string{"ok"}, want: healthy},
		"a name that is not there is a failure": {statuses: []ClientStatus{ok}, ready: true, names: []string{"nobody"}, want: tokenMissing, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := judgeHealth(tc.statuses, tc.ready, tc.names)
			if got != tc.want || (err != nil) != tc.fails {
				t.Errorf("exit code %d (%v), want %d", got, err, tc.want)
			}
		})
	}
}

func TestListIsAlignedAndShowsWhatIsWrong(t *testing.T) {
	var b strings.Builder
	next := 1.5
	err := printClients(terminal{Writer: &b}, []ClientStatus{
		{Client: "erp", Token: "valid", State: "ok", ExpiresIn: 10, NextRefreshIn: &next, Generation: 7,
			GrantExpiresAt: time.Now().Add(3*24*time.Hour + time.Hour), Cause: "grant_ends"},
		{Client: "a-longer-name", Token: "none", State: "grant_lost", Cause: "refused"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `CLIENT         TOKEN  STATE       EXPIRES IN  NEXT REFRESH  GRANT ENDS  GENERATION  LAST ERROR
erp            valid  ok          10s         2s            3d          7           grant_ends
a-longer-name  none   grant_lost  -           -             -           0           refused
`
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
}

func TestWhatLastsIsSaidAsPeopleSayIt(t *testing.T) {
	for d, want := range map[time.Duration]string{
		90 * 24 * time.Hour: "90d", 24 * time.Hour: "1d", 24*time.Hour - 1: "23h", time.Hour: "1h", 59 * time.Minute: "59m",
		59 * time.Second: "59s", 0: "0s", -time.Hour: "0s",
	} {
		if got := roughly(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
