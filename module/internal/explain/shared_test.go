package explain

import (
	"strings"
	"testing"

	"lamplighter/module/internal/finding"
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
