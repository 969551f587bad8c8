package doctor_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"lamplighter/module/adminapi"
	"lamplighter/module/moduletest"
)

func TestAStoreThatCannotBeWrittenIsNoticed(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	offline(t, s.Config("store file {\npath "+s.Dir+"/seed/records\n}", ""), false).
		want("store", adminapi.VerdictFailed, "store_unavailable", s.Dir+"/seed", "read, write and lock")

	exposed := filepath.Join(s.Dir, "exposed")
	if err := os.Mkdir(exposed, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(exposed, 0o777); err != nil {
		t.Fatal(err)
	}
	found := offline(t, s.Config("store file {\npath "+exposed+"\n}", ""), false)
	found.want("store", adminapi.VerdictFailed, exposed)
	found.want("record", adminapi.VerdictSkipped)
	offline(t, s.Config("store file {\npath "+exposed+"/state/records\n}", ""), false).
		want("store", adminapi.VerdictWarning, "an older copy", "everybody can write to "+exposed, "chmod o-w")
}

func TestADamagedRecordAndAMissingOneAreNoticed(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	records := filepath.Join(s.Dir, "records")
	store := "store file {\npath " + records + "\n}"
	offline(t, s.Config(store, ""), false).want("record", adminapi.VerdictOK, "none yet")
	if err := os.WriteFile(filepath.Join(records, "erp.json"), []byte(`{"format":`), 0o600); err != nil {
		t.Fatal(err)
	}
	offline(t, s.Config(store, ""), false).want("record", adminapi.VerdictFailed, "record_unreadable", records+"/erp.json", "restore")

	for _, name := range []string{"records/erp.json", "seed"} {
		if err := os.Remove(filepath.Join(s.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	found := offline(t, s.Config(store, ""), false)
	found.want("record", adminapi.VerdictFailed, "no_refresh_token", "tokens login erp")
	found.want("secrets", adminapi.VerdictOK, "refresh_token, which is absent")
}

func TestALostGrantIsNoticedWithAndWithoutAnInstance(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	as.Lock()
	as.RefreshToken = "another-one-0123456789"
	as.Unlock()
	config := s.Config("store file {\npath "+s.Dir+"/records\n}", "")
	s.Load(config)
	moduletest.Eventually(t, "the grant is lost", func() bool {
		var status adminapi.ClientStatus
		return moduletest.Asked(t, "GET", "clients/erp", &status) == 200 && status.State == adminapi.StateGrantLost
	})
	var answer adminapi.DoctorAnswer
	moduletest.Asked(t, "POST", "doctor", &answer)
	checks{t, answer.Checks}.want("token", adminapi.VerdictFailed, "grant_lost", "tokens login erp")
	checks{t, answer.Checks}.withholds(as.Everything...)
	offline(t, config, false).want("record", adminapi.VerdictFailed, "seed_refused", "tokens login erp")
}

func TestAPortInUseIsNoticed(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	listener, err := net.Listen("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	offline(t, s.Config("", ""), false).want("ports", adminapi.VerdictFailed, s.Address+" is in use by", "choose another address")
}
