package command

import (
	"strings"
	"testing"
	"time"

	"lamplighter/module/adminapi"
)

func TestHealthExitCodes(t *testing.T) {
	ok := adminapi.ClientStatus{Client: "ok", Token: "valid", State: "ok"}
	retrying := adminapi.ClientStatus{Client: "retrying", Token: "valid", State: "backoff"}
	waiting := adminapi.ClientStatus{Client: "waiting", Token: "none", State: "starting"}
	lost := adminapi.ClientStatus{Client: "lost", Token: "valid", State: "grant_lost"}
	unsaved := adminapi.ClientStatus{Client: "unsaved", Token: "valid", State: "ok", Unsaved: true}
	ending := adminapi.ClientStatus{Client: "ending", Token: "valid", State: "ok", Cause: "grant_ends"}
	for name, tc := range map[string]struct {
		statuses []adminapi.ClientStatus
		ready    bool
		names    []string
		want     int
		fails    bool
	}{
		"no clients":                            {want: healthy},
		"all well":                              {statuses: []adminapi.ClientStatus{ok, retrying}, want: healthy},
		"a token is missing":                    {statuses: []adminapi.ClientStatus{ok, waiting}, want: tokenMissing},
		"a human is needed":                     {statuses: []adminapi.ClientStatus{ok, waiting, lost}, want: humanNeeded},
		"a grant is in memory only":             {statuses: []adminapi.ClientStatus{ok, unsaved}, want: humanNeeded},
		"a grant ends soon":                     {statuses: []adminapi.ClientStatus{ok, ending, retrying}, want: grantEnds},
		"a missing token is worse":              {statuses: []adminapi.ClientStatus{waiting, ending}, want: tokenMissing},
		"a grant that is lost is worse":         {statuses: []adminapi.ClientStatus{ending, lost}, want: humanNeeded},
		"ready does not ask for grants":         {statuses: []adminapi.ClientStatus{ending}, ready: true, want: healthy},
		"ready asks for tokens only":            {statuses: []adminapi.ClientStatus{ok, lost}, ready: true, want: healthy},
		"ready without a token":                 {statuses: []adminapi.ClientStatus{waiting}, ready: true, want: tokenMissing},
		"ready for some of them":                {statuses: []adminapi.ClientStatus{ok, waiting}, ready: true, names: []string{"ok"}, want: healthy},
		"a name that is not there is a failure": {statuses: []adminapi.ClientStatus{ok}, ready: true, names: []string{"nobody"}, want: tokenMissing, fails: true},
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
	err := printClients(terminal{Writer: &b}, []adminapi.ClientStatus{
		{
			Client: "erp", Token: "valid", State: "ok", ExpiresIn: 10, NextRefreshIn: &next, Generation: 7,
			GrantExpiresAt: time.Now().Add(3*24*time.Hour + time.Hour), Cause: "grant_ends",
		},
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
