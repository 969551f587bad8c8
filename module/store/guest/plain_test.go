package guest

import (
	"strings"
	"testing"
)

func TestRecordsThatAreNotEncryptedAreWarnedOf(t *testing.T) {
	if plain := new(Options).PlainRecords(); !strings.Contains(plain, "dpop") || !strings.Contains(plain, "add 'encryption_key <file>'") {
		t.Errorf("%q", plain)
	}
	if plain := (&Options{EncryptionKeys: []string{"key.txt"}}).PlainRecords(); plain != "" {
		t.Errorf("%q", plain)
	}
}
