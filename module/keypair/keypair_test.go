package keypair

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"
)

func pairOfPEM(t *testing.T) [2]string {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return [2]string{
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
	}
}

// Faults D5 and D6: whatever becomes of the two files, and in which order, what is used
// is the last state of them in which they belonged together.
func TestTheLastPairThatBelongsTogetherIsUsed(t *testing.T) {
	pairs := [][2]string{pairOfPEM(t), pairOfPEM(t), pairOfPEM(t)}
	rapid.Check(t, func(t *rapid.T) {
		cert, key, whole := 0, 0, -1
		var readErr error
		core, logs := observer.New(zapcore.WarnLevel)
		p := &Pair{logger: zap.New(core), read: func() (string, string, error) {
			texts := [2]string{"", "garbage"}
			if cert < len(pairs) {
				texts[0] = pairs[cert][0]
			}
			if key < len(pairs) {
				texts[1] = pairs[key][1]
			}
			return texts[0], texts[1], readErr
		}}
		complaints, broken := 0, false
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			cert = rapid.IntRange(0, len(pairs)).Draw(t, "cert")
			key = rapid.IntRange(0, len(pairs)).Draw(t, "key")
			readErr = nil
			if rapid.IntRange(0, 5).Draw(t, "gone") == 0 {
				readErr = errors.New("it is just being renamed")
			}
			good := readErr == nil && cert == key && cert < len(pairs)
			if good {
				whole = cert
			} else if whole >= 0 && !broken {
				complaints++
			}
			broken = !good && whole >= 0
			got, err := p.Load()
			if whole < 0 {
				if err == nil {
					t.Fatal("a pair, and there never was one")
				}
				continue
			}
			if err != nil || got.Chain != pairs[whole][0] || got.Key != pairs[whole][1] {
				t.Fatalf("not the last whole pair: %v", err)
			}
		}
		if logs.Len() != complaints {
			t.Fatalf("%d lines in the log, want one for each of %d swaps", logs.Len(), complaints)
		}
	})
}
