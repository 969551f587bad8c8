package explain

import (
	"strings"
	"testing"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
)

// What is in memory may be older than a record that others write.
func TestARecordThatAnotherReplicaWroteIsNotWrittenFromMemory(t *testing.T) {
	about := About{Client: "erp", Place: "row erp", Process: "process00", Store: "postgres", Rotating: true}
	for kind, wants := range map[string]string{"sealed": "store postgres { encryption_key <file> }", "": "the replica that wrote it", "newer": "start the version"} {
		for _, which := range []string{"", finding.CaseKnown} {
			trouble := finding.Trouble{Condition: finding.Misconfiguration, Cause: finding.CauseRecord, Case: which, Facts: &finding.Facts{Kind: kind, Detail: "<detail>"}}
			_, remedy := Of(trouble, about)
			if !strings.Contains(remedy, wants) || strings.Contains(remedy, "memory") {
				t.Errorf("%q, %q: %s", kind, which, remedy)
			}
		}
	}
}

// There need be no crash, where another replica may have the answer and cannot write it.
func TestAReplicaThatMayHaveTheAnswerIsLookedForFirst(t *testing.T) {
	lost := &finding.Facts{Loss: &record.Loss{Cause: finding.CauseResponseLost, Unanswered: time.Unix(0, 0), UnansweredBy: "another.1-7", Detail: "<detail>"}}
	trouble := finding.Trouble{Condition: finding.Lost, Cause: finding.CauseResponseLost, Facts: lost}
	for kind, crash := range map[string]bool{"": true, "postgres": false} {
		detail, remedy := Of(trouble, About{Client: "erp", Process: "process00", Store: kind, Rotating: true})
		if strings.Contains(detail, "crash") != crash || strings.Contains(detail, "another replica") == crash || strings.Contains(remedy, "only if it is gone") == crash || !strings.Contains(remedy, "tokens login erp") {
			t.Errorf("%q: %s; %s", kind, detail, remedy)
		}
	}
}

// The directory and the disk are those of files.
func TestAStoreThatReplicasShareIsNotMendedLikeADirectory(t *testing.T) {
	for _, which := range []string{"", "memory", finding.CaseUnsaved} {
		trouble := finding.Trouble{Condition: finding.Backoff, Cause: finding.CauseStore, Case: which, Facts: &finding.Facts{Detail: "<detail>"}}
		for kind, wants := range map[string]string{"": "the directory of row", "redis": "correct its address in 'store redis'"} {
			if _, remedy := Of(trouble, About{Client: "erp", Place: "row", Store: kind}); !strings.Contains(remedy, wants) || kind != "" && strings.Contains(remedy, "directory") {
				t.Errorf("%q, %q: %s", kind, which, remedy)
			}
		}
	}
}

func TestARefusalMayComeOfARestoredBackup(t *testing.T) {
	trouble := finding.Trouble{Condition: finding.Lost, Cause: finding.CauseRefused, Facts: &finding.Facts{Loss: &record.Loss{Cause: finding.CauseRefused}}}
	for kind, whose := range map[string]string{"": "the record", "redis": "the store"} {
		if detail, _ := Of(trouble, About{Client: "erp", Store: kind, Rotating: true}); !strings.Contains(detail, "if "+whose+" was restored from a backup") {
			t.Errorf("%q: %s", kind, detail)
		}
	}
}
