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
	rejected := adminapi.ClientStatus{Client: "rejected", Token: "valid", State: "ok", Cause: "token_rejected"}
	beside := adminapi.ClientStatus{Client: "beside", Token: "valid", State: "ok", Cause: "rotation_missing"}
	up, down := true, false
	there := adminapi.ClientStatus{Client: "there", Token: "valid", State: "ok", StoreUp: &up}
	away := adminapi.ClientStatus{Client: "away", Token: "valid", State: "ok", StoreUp: &down}
	ending := adminapi.ClientStatus{Client: "ending", Token: "valid", State: "ok", Cause: "grant_ends"}
	for name, tc := range map[string]struct {
		statuses []adminapi.ClientStatus
		ready    bool
		names    []string
		want     int
		fails    bool
	}{
		"no clients":                            {want: healthy},
		"all well":                              {statuses: []adminapi.ClientStatus{ok, ok}, want: healthy},
		"token requests fail":                   {statuses: []adminapi.ClientStatus{ok, retrying}, want: notForLong},
		"an upstream rejects the token":         {statuses: []adminapi.ClientStatus{rejected, ok}, want: notForLong},
		"the store is away":                     {statuses: []adminapi.ClientStatus{away}, want: notForLong},
		"the store is there":                    {statuses: []adminapi.ClientStatus{there}, want: healthy},
		"something else is said beside ok":      {statuses: []adminapi.ClientStatus{beside}, want: healthy},
		"a directory cannot be used":            {statuses: []adminapi.ClientStatus{{Client: "dir", Token: "none", State: "backoff", Cause: "store_unavailable"}}, want: humanNeeded},
		"a disk is full":                        {statuses: []adminapi.ClientStatus{{Client: "disk", Token: "none", State: "backoff", Cause: "store_full"}}, want: humanNeeded},
		"a client goes on without a record":     {statuses: []adminapi.ClientStatus{{Client: "dir", Token: "valid", State: "ok", Cause: "store_unavailable"}}, want: healthy},
		"a store passes its trouble":            {statuses: []adminapi.ClientStatus{{Client: "store", Token: "none", State: "backoff", Cause: "store_unavailable", StoreUp: &down}}, want: tokenMissing},
		"ready does not ask how long":           {statuses: []adminapi.ClientStatus{retrying, rejected, away}, ready: true, want: healthy},
		"a token is missing":                    {statuses: []adminapi.ClientStatus{ok, waiting}, want: tokenMissing},
		"a human is needed":                     {statuses: []adminapi.ClientStatus{ok, waiting, lost}, want: humanNeeded},
		"a grant is in memory only":             {statuses: []adminapi.ClientStatus{ok, unsaved}, want: humanNeeded},
		"a grant ends soon":                     {statuses: []adminapi.ClientStatus{ok, ending, retrying}, want: notForLong},
		"a token file is not written":           {statuses: []adminapi.ClientStatus{ok, {Client: "file", Token: "valid", State: "ok", Cause: "token_file_failed"}}, want: notForLong},
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
	list := []adminapi.ClientStatus{
		{
			Client: "erp", Token: "valid", State: "ok", ExpiresIn: 10, NextRefreshIn: &next, Generation: 7,
			GrantExpiresAt: time.Now().Add(3*24*time.Hour + time.Hour), Cause: "grant_ends",
			LastRejected: &adminapi.Rejection{At: time.Now().Add(-150 * time.Second), Status: 401},
		},
		{Client: "a-longer-name", Token: "none", State: "grant_lost", Cause: "refused"},
	}
	if err := printClients(terminal{Writer: &b}, list); err != nil {
		t.Fatal(err)
	}
	want := `CLIENT         TOKEN  STATE       EXPIRES IN  NEXT REFRESH  GRANT ENDS  GENERATION  LAST ERROR  LAST REFUSED
erp            valid  ok          10s         2s            3d          7           grant_ends  401 2m ago
a-longer-name  none   grant_lost  -           -             -           0           refused     -
`
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
}

// Where replicas share a store, the list says who refreshes and how the store is.
func TestListShowsWhoHoldsAndWhoFollows(t *testing.T) {
	up, down := true, false
	var b strings.Builder
	err := printClients(terminal{Writer: &b}, []adminapi.ClientStatus{
		{Client: "held", Token: "valid", State: "ok", StoreUp: &up, LeaseHeld: true, LeaseHolder: "shop-1"},
		{Client: "followed", Token: "valid", State: "ok", StoreUp: &up, LeaseHolder: "shop-2"},
		{Client: "free", Token: "valid", State: "ok", StoreUp: &down},
		{Client: "of-a-file", Token: "valid", State: "ok"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.SplitSeq(strings.TrimSpace(b.String()), "\n") {
		words := strings.Fields(line)
		got = append(got, words[0]+": "+strings.Join(words[9:], " "))
	}
	want := []string{"CLIENT: LAST ERROR LAST REFUSED STORE HELD BY", "held: there this process", "followed: there shop-2", "free: away nobody", "of-a-file: - -"}
	for i := range want {
		if !strings.HasSuffix(got[i], want[i][strings.Index(want[i], " ")+1:]) {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
}
