package test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// tokenRequestTimeout is how long one may take, by default.
const tokenRequestTimeout = 30 * time.Second

// shown reads a file of an example.
func shown(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", "examples"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// needs are the files and environment variables that a Caddyfile reads.
func needs(caddyfile string) (files, variables []string) {
	for _, m := range regexp.MustCompile(`\{file\.([^}]+)\}`).FindAllStringSubmatch(caddyfile, -1) {
		files = append(files, m[1])
	}
	for _, m := range regexp.MustCompile(`\{env\.(\w+)\}`).FindAllStringSubmatch(caddyfile, -1) {
		variables = append(variables, m[1])
	}
	return files, variables
}

// checkSupplied checks that a manifest supplies what the Caddyfile beside it
// reads.
func checkSupplied(t *testing.T, caddyfile string, files, variables []string) {
	t.Helper()
	neededFiles, neededVariables := needs(caddyfile)
	if len(neededFiles) < 2 || len(neededVariables) != 1 {
		t.Errorf("the Caddyfile reads the files %v and the variables %v", neededFiles, neededVariables)
	}
	for _, f := range neededFiles {
		if !slices.Contains(files, f) {
			t.Errorf("the Caddyfile reads %s, and the manifest supplies %v", f, files)
		}
	}
	for _, v := range neededVariables {
		if !slices.Contains(variables, v) {
			t.Errorf("the Caddyfile reads the variable %s, and the manifest supplies %v", v, variables)
		}
	}
}

// checkStopTime checks that a refresh that was sent can be finished after open
// requests were given their time, and that after the load balancer's.
func checkStopTime(t *testing.T, caddyfile string, stop time.Duration) {
	t.Helper()
	said := func(pattern string, otherwise time.Duration) time.Duration {
		m := regexp.MustCompile(pattern).FindStringSubmatch(caddyfile)
		if m == nil {
			return otherwise
		}
		d, err := time.ParseDuration(m[1])
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	grace := said(`(?m)^\tgrace_period (\S+)$`, 0)
	if grace == 0 {
		t.Fatal("the Caddyfile sets no grace_period")
	}
	delay := said(`(?m)^\tshutdown_delay (\S+)$`, 0)
	request := said(`(?m)^\t+timeout (\S+)$`, tokenRequestTimeout)
	if needed := delay + grace + request + 5*time.Second; stop < needed {
		t.Errorf("%v to stop are too short: it may take %v", stop, needed)
	}
}

// checkImage checks that an image is pinned: `latest` changes without a word.
// The one of the sidecar may be without a tag where it was built beside it.
func checkImage(t *testing.T, image string) {
	t.Helper()
	name := image[strings.LastIndex(image, "/")+1:]
	_, tag, tagged := strings.Cut(name, ":")
	if image != "lamplighter" && (!tagged || tag == "latest") {
		t.Errorf("the image %s has no tag that says which one it is", image)
	}
}
