package adminapi_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/keeper"
)

// TestEveryFieldOfTheAdminAPIIsOnItsPage compares the page with the types.
func TestEveryFieldOfTheAdminAPIIsOnItsPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "admin-api.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections := make(map[string][]string)
	for _, section := range strings.Split(string(page), "\n## ")[1:] {
		title, rows, _ := strings.Cut(section, "\n")
		for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(rows, -1) {
			sections[title] = append(sections[title], row[1])
		}
	}
	for title, v := range map[string]any{
		"The instance":         adminapi.Live{},
		"A client":             adminapi.ClientStatus{},
		"A token file":         adminapi.TokenFile{},
		"An event":             adminapi.ClientEvent{},
		"Requests":             adminapi.RequestCounts{},
		"A rejection":          adminapi.Rejection{},
		"A refusal":            adminapi.Refusal{},
		"The outcome":          adminapi.OrderResult{},
		"A refresh token":      adminapi.ImportRequest{},
		"A step of a log-in":   adminapi.LoginRequest{},
		"The answer to a step": adminapi.LoginAnswer{},
		"A grant to take over": adminapi.AdoptRequest{},
		"A grant taken over":   adminapi.AdoptResult{},
		"A token to hand out":  adminapi.TokenRequest{},
		"A token":              adminapi.Token{},
		"A header field":       adminapi.HeaderField{},
		"An examination":       adminapi.DoctorRequest{},
		"What it found":        adminapi.DoctorAnswer{},
		"A step of it":         adminapi.Check{},
	} {
		var fields []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "-" { // which is not sent
				fields = append(fields, name)
			}
		}
		if !slices.Equal(fields, sections[title]) {
			t.Errorf("%s: the page has\n%v, and the answer\n%v", title, sections[title], fields)
		}
	}
}

func TestStatesHaveTheNamesThatTheKeeperGivesThem(t *testing.T) {
	for said, is := range map[string]keeper.State{
		adminapi.StateAwaitingGrant: keeper.StateAwaitingGrant,
		adminapi.StateGrantLost:     keeper.StateGrantLost,
		adminapi.StateMisconfigured: keeper.StateMisconfigured,
		adminapi.StateBackoff:       keeper.StateBackoff,
	} {
		if said != string(is) {
			t.Errorf("%s is called %s", is, said)
		}
	}
}
