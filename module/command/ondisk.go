package command

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/redact"
	"lamplighter/module/service"
)

// configuredFile is service.Configured, but in tests.
var configuredFile = service.Configured

// compared has an examination by an instance say whether its file has what it runs: a reload
// that failed, or that nobody has ordered, shows at the next start only. There is one verdict
// about the configuration, the worse one.
func compared(fl caddycmd.Flags, api *adminClient, answer *adminapi.DoctorAnswer) {
	file := fl.String("config")
	if file == "" && fl.String("address") == "" {
		file = answer.File
	}
	said := onDisk(fl, api, file, answer.File)
	if said == nil {
		return
	}
	(&adminClient{flags: ""}).makeReadable(reflect.ValueOf(said))
	if said.Verdict != adminapi.VerdictSkipped {
		answer.Checks = slices.DeleteFunc(answer.Checks, func(c adminapi.Check) bool {
			same := c.Client == "" && c.Step == said.Step && c.Verdict == adminapi.VerdictOK
			if same {
				said.Detail += "; " + c.Detail
			}
			return same
		})
	}
	answer.Checks = append([]adminapi.Check{*said}, answer.Checks...)
}

// variable is one of the environment that a Caddyfile takes in when it is read.
var variable = regexp.MustCompile(`\{\$[^{}:\s]+`)

// onDisk compares what an instance runs, which was started with a file that may be unknown,
// with what a file has. It returns nil if there is nothing to compare.
func onDisk(fl caddycmd.Flags, api *adminClient, file, started string) *adminapi.Check {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	config, sure, err := adapted(file, fl.String("adapter"))
	var running, written any
	if err == nil && (json.Unmarshal(config, &written) != nil || api.call(http.MethodGet, "/config/", nil, &running) != nil || running == nil) {
		return nil
	}
	said := &adminapi.Check{Step: "configuration"}
	validate := "'lamplighter validate --config " + redact.Quoted(file) + "'"
	names := variable.FindAllString(string(text), -1)
	switch {
	case err == nil && reflect.DeepEqual(placeless(running), placeless(written)):
		said.Verdict, said.Detail = adminapi.VerdictOK, "the instance runs what "+file+" has"
	case len(names) > 0 && !sure:
		slices.Sort(names)
		said.Verdict = adminapi.VerdictSkipped
		said.Detail = fmt.Sprintf("whether the instance runs what %s has cannot be compared here: it has %s}, and the variables of the instance are not known", file, strings.Join(slices.Compact(names), "}, "))
	case started != "" && !service.SameFile(started, file):
		said.Verdict, said.Detail = adminapi.VerdictWarning, "the instance that answers was started with "+started+", and does not run what "+file+" has"
		said.Remedy = "--address asks another instance"
	case err != nil:
		said.Verdict, said.Detail = adminapi.VerdictFailed, fmt.Sprintf("the instance runs what it loaded before, and would not start again: %s cannot be loaded: %v", file, err)
		said.Remedy = "correct the file before anything restarts the instance; " + validate + " says whether it can be loaded"
	default:
		said.Verdict, said.Detail = adminapi.VerdictWarning, "the instance does not run what "+file+" has: it was changed and not loaded, or that failed"
		said.Remedy = validate + " says whether it can be loaded; then 'lamplighter reload --config " + redact.Quoted(file) + "' takes it over; else the next start fails"
	}
	return said
}

// adapted is the configuration in a file as JSON, with the variables that its service has, if
// there is one; sure says that those are all known.
func adapted(file, adapter string) (config []byte, sure bool, err error) {
	if s := service.Of(file); s != nil {
		var variables map[string]string
		variables, sure = s.Environment()
		defer withVariables(variables)()
	}
	config, _, _, err = caddycmd.LoadConfig(file, adapter)
	return config, sure, err
}

// withVariables has this process have these variables and no others, until what it returns is
// called.
func withVariables(variables map[string]string) (restore func()) {
	before := os.Environ()
	os.Clearenv()
	for name, value := range variables {
		_ = os.Setenv(name, value) // of a name that cannot be one, nothing is known
	}
	return func() {
		os.Clearenv()
		for _, pair := range before {
			name, value, _ := strings.Cut(pair, "=")
			_ = os.Setenv(name, value) // it was one before
		}
	}
}

// placeless is a configuration without the places that things are declared at: the same file
// may be named by another path, and a comment moves all that comes after it.
func placeless(config any) any {
	switch part := config.(type) {
	case map[string]any:
		delete(part, "declared_at")
		for _, member := range part {
			placeless(member)
		}
	case []any:
		for _, element := range part {
			placeless(element)
		}
	}
	return config
}
