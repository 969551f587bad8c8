package explain

import (
	"strings"
	"testing"

	"lamplighter/module/cause"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
)

// A remedy leads the way by which the client's refresh token comes.
func TestARemedyFollowsTheSourceOfTheRefreshToken(t *testing.T) {
	dead := finding.Trouble{Condition: finding.Lost, Cause: finding.CauseRefused, Facts: &finding.Facts{Loss: &record.Loss{Cause: finding.CauseRefused, Detail: "400"}}}
	taken := finding.Trouble{Condition: finding.Misconfiguration, Cause: finding.CauseSeedTaken, Facts: &finding.Facts{Owner: "crm", Place: "/data/crm.json"}}
	for written, want := range map[string]struct{ lost, fixed, taken, not string }{
		"{file./run/token}": {"put one into the file that the refresh_token setting reads", "into the file", "at once by a reload", "variable"},
		"{env.TOKEN}":       {"set the variable that refresh_token names, and restart", "and restart", "needs a restart", "file"},
		"a-literal-one":     {"write one into refresh_token, and reload", "and reload", "needs a reload", "file"},
		"":                  {"neither needs a restart", "", "at once by a reload", "put one into the file"},
	} {
		about := About{Client: "erp", Rotating: true, Supply: cause.SupplyOf(written)}
		fixed := about
		fixed.Rotating = false
		for wanted, trouble := range map[string]finding.Trouble{want.lost: dead, want.taken: taken} {
			_, remedy := Of(trouble, about)
			if !strings.Contains(remedy, wanted) || strings.Contains(remedy, want.not) {
				t.Errorf("refresh_token %q: %s", written, remedy)
			}
		}
		if _, remedy := Of(dead, fixed); !strings.Contains(remedy, want.fixed) || written != "" && strings.Contains(remedy, want.not) {
			t.Errorf("refresh_token %q, presented each time: %s", written, remedy)
		}
	}
}

// A client whose settings name no endpoint for a log-in is not told to log in.
func TestARemedyLogsInOnlyWhoCan(t *testing.T) {
	dead := finding.Trouble{Condition: finding.Lost, Cause: finding.CauseRefused, Facts: &finding.Facts{Loss: &record.Loss{Cause: finding.CauseRefused, Detail: "400"}}}
	for noLogin, want := range map[bool]string{
		false: "log in with 'lamplighter tokens login erp', or hand a new refresh token over with 'lamplighter tokens import erp'; neither needs a restart",
		true:  "hand a new refresh token over with 'lamplighter tokens import erp'; that needs no restart",
	} {
		if _, remedy := Of(dead, About{Client: "erp", Rotating: true, Supply: cause.Nowhere, NoLogin: noLogin}); remedy != want {
			t.Errorf("no log-in %v: %s", noLogin, remedy)
		}
	}
}
