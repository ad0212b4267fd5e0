package secure

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"time"
)

// certLife is longer than any process lives.
const certLife = 100 * 365 * 24 * time.Hour

// Throwaway makes a TLS certificate of a new key, which proves nothing: what is inside settles who is there.
func Throwaway() (tls.Certificate, error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	c := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(0, 0).Add(certLife)}
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, pub, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
