package tokenfile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/adminapi"
	"lamplighter/module/moduletest"
)

// keeping runs a sidecar whose client keeps its token in a file.
func keeping(t *testing.T, block string) (s *moduletest.Sidecar, file string) {
	t.Helper()
	s = moduletest.NewSidecar(t, moduletest.NewRotating(t))
	file = filepath.Join(s.Dir, "tokens", "erp")
	s.Load(s.Config("token_file "+file+" "+block, ""))
	return s, file
}

// waitFor waits until a file holds a text.
func waitFor(t *testing.T, file, want string) {
	t.Helper()
	got := ""
	moduletest.Eventually(t, file+" holds "+want, func() bool {
		content, err := os.ReadFile(file)
		got = string(content)
		return err == nil && got == want
	})
}

func status(t *testing.T) (s adminapi.ClientStatus) {
	t.Helper()
	moduletest.Asked(t, "GET", "clients/erp", &s)
	return s
}

func TestATokenIsInItsFileOverRotationsReloadsAndRestarts(t *testing.T) {
	s, file := keeping(t, "")
	waitFor(t, file, "access-token-1-abcdefghij")
	moduletest.Asked(t, "POST", "clients/erp/refresh", new(adminapi.OrderResult))
	waitFor(t, file, "access-token-2-abcdefghij")
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	moduletest.Eventually(t, "it is shown", func() bool {
		shown := status(t)
		return len(shown.TokenFiles) == 1 && shown.TokenFiles[0].Generation == 2 && shown.TokenFiles[0].Path == file && shown.Cause == ""
	})

	for i := range 3 { // of which some change the format, and one fails
		s.Load(s.Config(fmt.Sprintf("token_file %s {\nformat \"%d {access_token}\"\n}", file, i), ""))
		waitFor(t, file, fmt.Sprintf("%d access-token-2-abcdefghij", i))
	}
	broken := moduletest.Adapt(t, strings.Replace(s.Config("token_file "+file, ""), "bind 127.0.0.1", "bind 192.0.2.1", 1))
	if err := caddy.Load(broken, true); err == nil {
		t.Fatal("a configuration for an address that this machine has not was loaded")
	}
	waitFor(t, file, "2 access-token-2-abcdefghij")

	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, file, "2 access-token-2-abcdefghij")
	s.Load(s.Config("token_file "+file, ""))
	waitFor(t, file, "access-token-2-abcdefghij")
	s.Load(s.Config("", ""))
	waitFor(t, file, "access-token-2-abcdefghij") // it is left as it is
	if requests, spent, _ := s.AS.Count(); requests != 2 || spent != 0 {
		t.Errorf("%d token requests, %d with spent refresh tokens", requests, spent)
	}
}

func TestAClientWithoutATokenSaysSoInItsFile(t *testing.T) {
	s, file := keeping(t, "")
	waitFor(t, file, "access-token-1-abcdefghij")
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(s.Dir, "data")); err != nil {
		t.Fatal(err)
	}
	moduletest.Write(t, s, "seed", "another-refresh-token")
	s.Load(s.Config("token_file "+file, ""))
	waitFor(t, file, "")
	if shown := status(t); shown.TokenFiles[0].Generation != 0 || shown.TokenFiles[0].Cause != "" || shown.State == "ok" {
		t.Errorf("%+v", shown)
	}
}

func TestAFileThatCannotBeWrittenStopsNothingAndIsShown(t *testing.T) {
	s, file := keeping(t, "")
	waitFor(t, file, "access-token-1-abcdefghij")
	dir := filepath.Dir(file)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	moduletest.Asked(t, "POST", "clients/erp/refresh", new(adminapi.OrderResult))
	moduletest.Eventually(t, "the cause is shown", func() bool { return status(t).Cause == "token_file_exposed" })
	s.WantOK()
	shown := status(t)
	if shown.State != "ok" || shown.Token != "valid" || shown.Detail == "" || shown.Remedy == "" || shown.Since.IsZero() || shown.TokenFiles[0].Cause != shown.Cause || shown.TokenFiles[0].Generation != 1 {
		t.Errorf("%+v", shown)
	}
	waitFor(t, file, "access-token-1-abcdefghij")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	waitFor(t, file, "access-token-2-abcdefghij")
	moduletest.Eventually(t, "the cause is gone", func() bool { return status(t).Cause == "" })
	log, err := os.ReadFile(s.Log)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`"token written to a file"`, `"token file cannot be written"`, `"cause":"token_file_exposed"`, `"file":"` + file + `"`} {
		if !strings.Contains(string(log), line) {
			t.Errorf("the log has no %s", line)
		}
	}
	if strings.Contains(string(log), "access-token-") {
		t.Error("the log has a token")
	}
}

func TestFilesThatCannotBeKeptAreFoundByValidate(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	file := filepath.Join(s.Dir, "token")
	second := "oauth2_client other {\ntoken_endpoint " + s.AS.Tokens.URL + "/x\nclient_id x\nclient_secret y\ntoken_file " + s.Dir + "/./token\n}"
	err := moduletest.Validate(t, strings.Replace(s.Site("token_file "+file, ""), "admin off", "admin off\n"+second, 1))
	if err == nil || !strings.Contains(err.Error(), "token_file "+file+": client ") || !strings.Contains(err.Error(), "has it already") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("validate has written a file")
	}
}

// TestATokenIsNotWrittenOverWhatThisProcessKeeps: a record, a lock, the ledger of spent
// tokens, and Caddy's own files.
func TestATokenIsNotWrittenOverWhatThisProcessKeeps(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	data := caddy.AppDataDir()
	for _, path := range []string{
		filepath.Join(data, "oauth2_client", "erp.json"), filepath.Join(data, "oauth2_client", "erp.lock"), filepath.Join(data, "certificates", "token"),
		filepath.Join(filepath.Dir(data), "lamplighter", "spent.jsonl"), caddy.ConfigAutosavePath, filepath.Join(s.Dir, "records", "token"),
		filepath.Join(s.Dir, "storage", "token"),
	} {
		site := s.Site("token_file "+path+"\nstore file {\npath "+filepath.Join(s.Dir, "records")+"\n}", "")
		err := moduletest.Validate(t, strings.Replace(site, "admin off", "admin off\nstorage file_system "+filepath.Join(s.Dir, "storage"), 1))
		if err == nil || !strings.Contains(err.Error(), "token_file "+path) || !strings.Contains(err.Error(), "choose a") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
