package workflows

import (
	"context"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"signalbox/internal/aead"
)

// ring is where keys are, the first in force.
type ring struct {
	keys  []aead.Key
	err   error
	reads int
}

func (r *ring) read(context.Context) ([]aead.Key, error) {
	r.reads++
	return r.keys, r.err
}

func payloadKey(id string) aead.Key {
	return aead.Key{ID: id, Key: []byte("0123456789abcdef01234567" + id + "........")[:32]}
}

func payload(text string) *commonpb.Payload {
	return &commonpb.Payload{Metadata: map[string][]byte{converter.MetadataEncoding: []byte(converter.MetadataEncodingJSON), "more": []byte("m")}, Data: []byte(text)}
}

func TestPayloadsAreEncryptedAndReadBack(t *testing.T) {
	r := &ring{keys: []aead.Key{payloadKey("a")}}
	c := &Codec{Encrypt: true, Keys: r.read}
	plain := []*commonpb.Payload{payload(`"marker"`), payload(`"marker"`)}
	encrypted, err := c.Encode(plain)
	require.NoError(t, err)
	for _, p := range encrypted {
		require.Equal(t, map[string][]byte{"encoding": []byte("binary/encrypted"), "encryption-key-id": []byte("a")}, p.Metadata)
		require.NotContains(t, string(p.Data), "marker")
	}
	require.NotEqual(t, encrypted[0].Data, encrypted[1].Data, "nobody sees that two are the same")
	read := func(c *Codec, in ...*commonpb.Payload) []*commonpb.Payload {
		t.Helper()
		out, err := c.Decode(in)
		require.NoError(t, err)
		return out
	}
	same := func(got []*commonpb.Payload) {
		t.Helper()
		require.Len(t, got, len(plain))
		for i := range plain {
			require.True(t, proto.Equal(plain[i], got[i]))
		}
	}
	same(read(c, encrypted...))
	same(read(c, plain[0], encrypted[1])) // what was there before
	require.Equal(t, 1, r.reads, "keys are read once")

	// Turned off it reads on, and encrypts no more.
	off := &Codec{Keys: r.read}
	same(read(off, encrypted...))
	out, err := off.Encode(plain)
	require.NoError(t, err)
	require.Equal(t, plain, out)

	// A key that another process has begun to use is looked for once; the one before still opens.
	r.keys = []aead.Key{payloadKey("b"), payloadKey("a")}
	later := &Codec{Encrypt: true, Keys: r.read}
	newer, err := later.Encode(plain)
	require.NoError(t, err)
	require.Equal(t, "b", string(newer[0].Metadata["encryption-key-id"]))
	reads := r.reads
	same(read(c, newer...))
	require.Equal(t, reads+1, r.reads)
	same(read(later, encrypted...))

	for name, change := range map[string]func(*commonpb.Payload){
		"changed":   func(p *commonpb.Payload) { p.Data[len(p.Data)-1] ^= 1 },
		"too short": func(p *commonpb.Payload) { p.Data = p.Data[:5] },
		"empty":     func(p *commonpb.Payload) { p.Data = nil },
	} {
		damaged := proto.Clone(encrypted[0]).(*commonpb.Payload)
		change(damaged)
		_, err := c.Decode([]*commonpb.Payload{damaged})
		require.Error(t, err, name)
		require.NotErrorIs(t, err, errNoPayloadKey, name)
	}
}

// TestEarlierPayloadsAreReadForEver reads what an earlier version encrypted: histories hold it for years.
func TestEarlierPayloadsAreReadForEver(t *testing.T) {
	c := &Codec{Keys: (&ring{keys: []aead.Key{payloadKey("b"), payloadKey("a")}}).read}
	data, err := base64.StdEncoding.DecodeString("WH8GHmr4aiYAHEdAI25qcrTzKKmb9MhEC/+Bj4ZL312fhPUt1a/PLWDQez71qlYjJHkn+7JX8XNYKk34fsbGt4Ln4vs=")
	require.NoError(t, err)
	out, err := c.Decode([]*commonpb.Payload{{Metadata: map[string][]byte{"encoding": []byte("binary/encrypted"), "encryption-key-id": []byte("a")}, Data: data}})
	require.NoError(t, err)
	require.True(t, proto.Equal(payload(`"x"`), out[0]))
}

func TestNothingIsWrittenInPlainForWantOfAKey(t *testing.T) {
	for _, r := range []*ring{{err: errors.New("the database is away")}, {}} {
		c := &Codec{Encrypt: true, Keys: r.read}
		_, err := c.Encode([]*commonpb.Payload{payload(`"x"`)})
		require.ErrorIs(t, err, errNoPayloadKey)
		require.Panics(t, func() { _, _ = patient{c}.Encode([]*commonpb.Payload{payload(`"x"`)}) }, "in a workflow it is tried again")
		require.Error(t, c.Load(t.Context()))
	}
	r := &ring{keys: []aead.Key{payloadKey("a")}}
	c := &Codec{Encrypt: true, Keys: r.read}
	stranger := payload(`"x"`)
	stranger.Metadata = map[string][]byte{"encoding": []byte("binary/encrypted"), "encryption-key-id": []byte("z")}
	_, err := c.Decode([]*commonpb.Payload{stranger})
	require.ErrorIs(t, err, errNoPayloadKey)
	require.Panics(t, func() { _, _ = patient{c}.Decode([]*commonpb.Payload{stranger}) })
	r.keys[0].Key = []byte("short")
	require.Error(t, c.Load(t.Context()))
}

func TestTextsOfFailuresAreEncryptedToo(t *testing.T) {
	r := &ring{keys: []aead.Key{payloadKey("a")}}
	c := &Codec{Encrypt: true, Keys: r.read}
	failure := c.failures().ErrorToFailure(temporal.NewApplicationError("marker", "conflict", "marker"))
	require.NotContains(t, failure.String(), "marker")
	require.Equal(t, "conflict", failure.GetApplicationFailureInfo().Type, "refusals are told by it")
	off := &Codec{Keys: r.read}
	err := off.failures().FailureToError(failure)
	require.ErrorContains(t, err, "marker")
	require.Contains(t, off.failures().ErrorToFailure(temporal.NewApplicationError("marker", "conflict")).String(), "marker")
}

// FuzzPayload sends what may lie in Temporal, or come to the codec server, to the codec: what was not encrypted by us is refused or left alone.
func FuzzPayload(f *testing.F) {
	r := &ring{keys: []aead.Key{payloadKey("a")}}
	c := &Codec{Encrypt: true, Keys: r.read}
	good, err := c.Encode([]*commonpb.Payload{payload(`"x"`)})
	require.NoError(f, err)
	f.Add([]byte("binary/encrypted"), []byte("a"), good[0].Data)
	f.Add([]byte("json/plain"), []byte(""), []byte(`"x"`))
	f.Fuzz(func(t *testing.T, encoding, key, data []byte) {
		in := &commonpb.Payload{Metadata: map[string][]byte{"encoding": encoding, "encryption-key-id": key}, Data: data}
		out, err := c.Decode([]*commonpb.Payload{in})
		switch {
		case err != nil:
			require.Equal(t, "binary/encrypted", string(encoding))
		case string(encoding) == "binary/encrypted":
			require.True(t, proto.Equal(payload(`"x"`), out[0]), "nobody else has the key")
		default:
			require.Same(t, in, out[0])
		}
	})
}
