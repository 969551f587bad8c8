package encryption_test

import (
	"strings"
	"testing"

	"filippo.io/age"

	"lamplighter/module/internal/encryption"
	"lamplighter/module/internal/record/recordtest"
)

func TestKeysThatCannotBeUsedAreRefusedWithoutBeingShown(t *testing.T) {
	file, secret := recordtest.NewKey(t)
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string][][]byte{
		"none":      nil,
		"empty":     {nil},
		"damaged":   {[]byte(secret[:len(secret)-1])},
		"a comment": {[]byte("# public key: age1…")},
		"mixed":     {file, []byte(hybrid.String())},
	} {
		if _, err := encryption.ParseKeys(files...); err == nil || strings.Contains(err.Error(), secret[20:40]) || strings.Contains(err.Error(), hybrid.String()[20:40]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if recordtest.Keys(t, file).Same(recordtest.Keys(t, []byte(hybrid.String()))) || !recordtest.Keys(t, file).Same(recordtest.Keys(t, []byte(secret))) {
		t.Error("keys are told apart by their files")
	}
}
