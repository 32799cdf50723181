// Holds wireguard-go to vectors/wireguard-protocol.json and vectors/wireguard-transport.json, and so the vectors to wireguard-go: each
// message is taken in by its own code, and its chaining key, hash, cookie and transport keys are compared. How to run it
// stands in README.md beside it; it is no part of this project's own tests.
package device

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/blake2s"
	"golang.org/x/crypto/chacha20poly1305"
)

type vectorPair struct{ Private, Public string }
type vectorSide struct {
	Static, Ephemeral vectorPair
	Index             uint32
}
type vectorStep struct{ Step, ChainingKey, Hash string }
type vectorSealed struct {
	From, Packet, Message string
	Counter               json.Number
}
type protocolVector struct {
	Name                 string
	Initiator, Responder vectorSide
	PresharedKey         string
	Initiation, Response struct {
		Steps   []vectorStep
		Message string
	}
	Cookie struct {
		Secret, Cookie, Message, Initiation string
		Source                              struct {
			Address string
			Port    uint16
		}
	}
	TransportKeys struct{ Initiator, Responder string }
	Data          []vectorSealed
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	out, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	folder := os.Getenv("TUNLESS_VECTORS")
	if folder == "" {
		t.Skip("TUNLESS_VECTORS names no folder")
	}
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, what string, actual []byte, expected string) {
	t.Helper()
	if hex.EncodeToString(actual) != expected {
		t.Errorf("%s: %x, not %s", what, actual, expected)
	}
}

// last gives the chaining key and the hash after the last step.
func last(steps []vectorStep) (chainingKey, hash string) {
	for _, step := range steps {
		if step.ChainingKey != "" {
			chainingKey = step.ChainingKey
		}
		if step.Hash != "" {
			hash = step.Hash
		}
	}
	return
}

func deviceOf(t *testing.T, own, other vectorSide, presharedKey string) (*Device, *Peer) {
	device := randDevice(t)
	t.Cleanup(device.Close)
	var secret NoisePrivateKey
	copy(secret[:], unhex(t, own.Static.Private))
	if err := device.SetPrivateKey(secret); err != nil {
		t.Fatal(err)
	}
	same(t, "public key", device.staticIdentity.publicKey[:], own.Static.Public)
	var public NoisePublicKey
	copy(public[:], unhex(t, other.Static.Public))
	peer, err := device.NewPeer(public)
	if err != nil {
		t.Fatal(err)
	}
	copy(peer.handshake.presharedKey[:], unhex(t, presharedKey))
	peer.Start()
	return device, peer
}

func TestProtocolVectors(t *testing.T) {
	var file struct{ Vectors []protocolVector }
	readVectors(t, "wireguard-protocol.json", &file)
	for _, vector := range file.Vectors {
		t.Run(vector.Name, func(t *testing.T) { checkProtocol(t, vector) })
	}
}

func checkProtocol(t *testing.T, vector protocolVector) {
	// The responder takes the initiation.
	responder, peer := deviceOf(t, vector.Responder, vector.Initiator, vector.PresharedKey)
	message := unhex(t, vector.Initiation.Message)
	if !responder.cookieChecker.CheckMAC1(message) {
		t.Fatal("MAC1 of the initiation")
	}
	var initiation MessageInitiation
	if err := initiation.unmarshal(message); err != nil {
		t.Fatal(err)
	}
	if responder.ConsumeMessageInitiation(&initiation) != peer {
		t.Fatal("the initiation is not taken")
	}
	chainingKey, hash := last(vector.Initiation.Steps)
	same(t, "chaining key after the initiation", peer.handshake.chainKey[:], chainingKey)
	same(t, "hash after the initiation", peer.handshake.hash[:], hash)

	// The initiator stands where its initiation left it, and takes cookie and response.
	initiator, far := deviceOf(t, vector.Initiator, vector.Responder, vector.PresharedKey)
	handshake := &far.handshake
	handshake.chainKey, handshake.hash = peer.handshake.chainKey, peer.handshake.hash
	copy(handshake.localEphemeral[:], unhex(t, vector.Initiator.Ephemeral.Private))
	public := handshake.localEphemeral.publicKey()
	same(t, "ephemeral", public[:], vector.Initiator.Ephemeral.Public)
	handshake.state = handshakeInitiationCreated
	handshake.localIndex = vector.Initiator.Index
	initiator.indexTable.table[vector.Initiator.Index] = IndexTableEntry{peer: far, handshake: handshake}

	again := bytes.Clone(message)
	far.cookieGenerator.AddMacs(again)
	same(t, "initiation", again, vector.Initiation.Message)
	var reply MessageCookieReply
	if err := reply.unmarshal(unhex(t, vector.Cookie.Message)); err != nil {
		t.Fatal(err)
	}
	if !far.cookieGenerator.ConsumeReply(&reply) {
		t.Fatal("the cookie reply is not taken")
	}
	same(t, "cookie", far.cookieGenerator.mac2.cookie[:], vector.Cookie.Cookie)
	far.cookieGenerator.AddMacs(again)
	same(t, "initiation with the cookie", again, vector.Cookie.Initiation)
	origin := append(unhex(t, vector.Cookie.Source.Address), byte(vector.Cookie.Source.Port>>8), byte(vector.Cookie.Source.Port))
	mac, _ := blake2s.New128(unhex(t, vector.Cookie.Secret))
	mac.Write(origin)
	same(t, "cookie of the source", mac.Sum(nil), vector.Cookie.Cookie)

	message = unhex(t, vector.Response.Message)
	if !initiator.cookieChecker.CheckMAC1(message) {
		t.Fatal("MAC1 of the response")
	}
	var response MessageResponse
	if err := response.unmarshal(message); err != nil {
		t.Fatal(err)
	}
	if initiator.ConsumeMessageResponse(&response) != far {
		t.Fatal("the response is not taken")
	}
	chainingKey, hash = last(vector.Response.Steps)
	same(t, "chaining key after the response", handshake.chainKey[:], chainingKey)
	same(t, "hash after the response", handshake.hash[:], hash)

	if err := far.BeginSymmetricSession(); err != nil {
		t.Fatal(err)
	}
	keypair := far.keypairs.Current()
	for _, data := range vector.Data {
		aead := keypair.send
		if data.From == "responder" {
			aead = keypair.receive
		}
		checkSealed(t, aead, data)
	}
}

func TestTransportVectors(t *testing.T) {
	var file struct {
		Key               string
		Accepted, Refused []vectorSealed
	}
	readVectors(t, "wireguard-transport.json", &file)
	var protocol struct{ Vectors []protocolVector }
	readVectors(t, "wireguard-protocol.json", &protocol)
	if protocol.Vectors[0].TransportKeys.Initiator != file.Key {
		t.Fatal("the key is another")
	}
	for _, sealed := range append(file.Accepted, file.Refused...) {
		checkSealed(t, newAEAD(t, file.Key), sealed)
	}
	limit := new(big.Int).SetUint64(RejectAfterMessages)
	for _, sealed := range file.Accepted {
		if counterOf(t, sealed).Cmp(limit) >= 0 {
			t.Errorf("counter %s is not to be accepted", sealed.Counter)
		}
	}
	for _, sealed := range file.Refused {
		if counterOf(t, sealed).Cmp(limit) < 0 {
			t.Errorf("counter %s is to be accepted", sealed.Counter)
		}
	}
}

func counterOf(t *testing.T, sealed vectorSealed) *big.Int {
	counter, ok := new(big.Int).SetString(sealed.Counter.String(), 10)
	if !ok {
		t.Fatal(sealed.Counter)
	}
	return counter
}

func newAEAD(t *testing.T, key string) cipher.AEAD {
	aead, err := chacha20poly1305.New(unhex(t, key))
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

func checkSealed(t *testing.T, aead cipher.AEAD, sealed vectorSealed) {
	t.Helper()
	message := unhex(t, sealed.Message)
	var nonce [chacha20poly1305.NonceSize]byte
	counter := counterOf(t, sealed).Uint64()
	binary.LittleEndian.PutUint64(nonce[4:], counter)
	if binary.LittleEndian.Uint64(message[MessageTransportOffsetCounter:]) != counter {
		t.Errorf("counter %d is not in its message", counter)
	}
	packet, err := aead.Open(nil, nonce[:], message[MessageTransportOffsetContent:], nil)
	if err != nil {
		t.Fatalf("counter %d: %v", counter, err)
	}
	padding := bytes.TrimPrefix(packet, unhex(t, sealed.Packet))
	if len(packet)%16 != 0 || len(padding) > 15 || len(bytes.Trim(padding, "\x00")) != 0 {
		t.Errorf("counter %d: %x", counter, packet)
	}
}
