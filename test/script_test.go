package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"lamplighter/test/internal/rig"
)

// secret is what no message may repeat; the scripts' configurations use it where
// they have a literal secret.
const secret = "s3cret"

// TestScripts runs the scripts of testdata/script against the binary. Besides
// testscript's own commands there are:
//
//	refused <line> <regexp>   lamplighter validate refuses the file Caddyfile, with
//	                          that line, the client erp, and a remedy that matches
//	exits <code> <command>…   a command ends with that exit code
//	untouched                 nothing was written and no token endpoint was called
//
// $TOKEN_ENDPOINT is a URL where every connection is noticed, $EXAMPLES the
// directory of the examples.
func TestScripts(t *testing.T) {
	examples, err := filepath.Abs("../examples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			bin := filepath.Join(env.WorkDir, ".bin")
			if err := os.Mkdir(bin, 0o700); err != nil {
				return err
			}
			if err := os.Symlink(rig.Binary, filepath.Join(bin, "lamplighter")); err != nil {
				return err
			}
			calls, err := countCalls(env)
			if err != nil {
				return err
			}
			env.Values["calls"] = calls
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, ".data"))
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, ".config"))
			env.Setenv("EXAMPLES", examples)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"refused":   refused,
			"exits":     exits,
			"untouched": untouched,
		},
	})
}

// countCalls listens where the scripts' token endpoint is.
func countCalls(env *testscript.Env) (*atomic.Int32, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	env.Defer(func() { _ = l.Close() })
	env.Setenv("TOKEN_ENDPOINT", "http://"+l.Addr().String()+"/token")
	calls := new(atomic.Int32)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			calls.Add(1)
			_ = conn.Close()
		}
	}()
	return calls, nil
}

func refused(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: refused <line> <regexp of the remedy>")
	}
	err := ts.Exec("lamplighter", "validate", "--config", "Caddyfile")
	if err == nil {
		ts.Fatalf("it was accepted")
	}
	message := errorMessage(ts.ReadFile("stderr"))
	if message == "" {
		ts.Fatalf("there is no error message")
	}
	for _, needed := range []string{`Caddyfile:` + args[0] + `\b`, `\berp\b`, args[1]} {
		if !regexp.MustCompile(needed).MatchString(message) {
			ts.Fatalf("no %s in: %s", needed, message)
		}
	}
	if output := ts.ReadFile("stdout") + ts.ReadFile("stderr"); strings.Contains(output, secret) {
		ts.Fatalf("a secret was printed: %s", output)
	}
	untouched(ts, false, nil)
}

// errorMessage finds the error that a command ended with: a log line where stderr
// is no terminal.
func errorMessage(stderr string) (message string) {
	for line := range strings.Lines(stderr) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Level == "error" {
			message = entry.Msg
		}
	}
	return message
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits <code> <command> [<args>...]")
	}
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	cmd := exec.Command(args[1], args[2:]...)
	if cmd.Path, err = exec.LookPath(filepath.Join(ts.Getenv("WORK"), ".bin", args[1])); err != nil {
		ts.Fatalf("%v", err)
	}
	cmd.Err = nil
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err = cmd.Run()
	ts.Logf("%s", output.String())
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		ts.Fatalf("it ended with %d, want %d", got, code)
	}
}

func untouched(ts *testscript.TestScript, neg bool, _ []string) {
	if neg {
		ts.Fatalf("unsupported: ! untouched")
	}
	for _, name := range []string{"XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		if _, err := os.Lstat(ts.Getenv(name)); !errors.Is(err, os.ErrNotExist) {
			ts.Fatalf("%s was written", name)
		}
	}
	if n := ts.Value("calls").(*atomic.Int32).Load(); n != 0 {
		ts.Fatalf("the token endpoint was called %d times", n)
	}
}
