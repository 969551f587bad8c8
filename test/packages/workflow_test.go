package packages

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"lamplighter/test/internal/rig"
)

// workflow is what decides what somebody else's code may do with a token of ours.
type workflow struct {
	Permissions map[string]string
	Jobs        map[string]struct {
		Permissions map[string]string
		Uses        string
		Steps       []struct{ Uses string }
	}
}

func workflows(t *testing.T) map[string]workflow {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yml"))
	if err != nil || len(files) != 2 {
		t.Fatalf("the workflows are %v: %v", files, err)
	}
	all := make(map[string]workflow)
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var w workflow
		if err := yaml.Unmarshal(text, &w); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[filepath.Base(name)] = w
	}
	return all
}

func TestWorkflowsAreUnderstoodByTheirLinter(t *testing.T) {
	rig.Need(t, "git", "install git")
	names := make([]string, 0, 2)
	for name := range workflows(t) {
		names = append(names, filepath.Join(".github", "workflows", name))
	}
	if _, err := rig.Pinned(t, root, "ACTIONLINT", names...); err != nil {
		t.Error(err)
	}
}

// TestWorkflowsRunWhatTheyNameAndMayDoLittle holds actions to a commit, which nobody can
// change later, and rights to the job that needs them.
func TestWorkflowsRunWhatTheyNameAndMayDoLittle(t *testing.T) {
	commit := regexp.MustCompile(`^actions/[a-z-]+@[0-9a-f]{40}$`)
	for name, w := range workflows(t) {
		for scope, right := range w.Permissions {
			if right != "read" {
				t.Errorf("%s: every job may %s %s", name, right, scope)
			}
		}
		if w.Permissions == nil {
			t.Errorf("%s: every job has the rights of the repository's settings", name)
		}
		for id, job := range w.Jobs {
			if id != "release" && len(job.Permissions) > 0 && (len(job.Permissions) != 1 || job.Permissions["contents"] != "read") {
				t.Errorf("%s: %s may do %v", name, id, job.Permissions)
			}
			if job.Uses != "" && !strings.HasPrefix(job.Uses, "./") {
				t.Errorf("%s: %s is somebody else's %s", name, id, job.Uses)
			}
			for _, step := range job.Steps {
				if step.Uses != "" && !commit.MatchString(step.Uses) {
					t.Errorf("%s: %s uses %s, which may be another one tomorrow", name, id, step.Uses)
				}
			}
		}
	}
}
