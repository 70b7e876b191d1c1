package workflows

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"
)

// How an encrypted payload is told from others; both as in Temporal's own samples.
const (
	encodingEncrypted = "binary/encrypted"
	metadataKey       = "encryption-key-id"
)

// PayloadKey is a key of 32 bytes, and the name that stands beside what was encrypted with it.
type PayloadKey struct {
	ID  string
	Key []byte
}

// Codec keeps what Temporal stores of us encrypted, with AES-256-GCM: inputs, results, signals, updates, queries, memos, summaries, details and
// heartbeats, and with them the texts of failures. Search attributes, names and IDs stay as they are, because Temporal works with them.
//
// What is not encrypted passes through its Decode untouched. So it can be turned on over a running system, and off again, and what people send
// in plain is taken.
type Codec struct {
	// Encrypt turns encrypting on; what is encrypted is always decrypted.
	Encrypt bool
	// Keys reads all keys, the one to encrypt with first.
	Keys func(ctx context.Context) ([]PayloadKey, error)

	mu    sync.Mutex
	first string
	aeads map[string]cipher.AEAD
}

var _ converter.PayloadCodec = (*Codec)(nil)

// errNoPayloadKey tells that a key is not to be had now: it is not known, or nobody answers who knows it. The same may succeed later.
var errNoPayloadKey = errors.New("the payload key is not to be had now")

// keysWithin bounds reading the keys.
const keysWithin = 5 * time.Second

// Load reads the keys. A process that has done so at its start needs to read them again only for a key that it does not know.
func (c *Codec) Load(ctx context.Context) error {
	keys, err := c.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read the payload keys: %w", err)
	}
	aeads := map[string]cipher.AEAD{}
	for _, key := range keys {
		block, err := aes.NewCipher(key.Key)
		if err == nil {
			aeads[key.ID], err = cipher.NewGCM(block)
		}
		if err != nil {
			return fmt.Errorf("use the payload key %s: %w", key.ID, err)
		}
	}
	if len(keys) == 0 {
		return errors.New("there are no payload keys")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first, c.aeads = keys[0].ID, aeads
	return nil
}

// aead gives a key by its id, or with an empty one that to encrypt with. Where it is not known the keys are read once more.
func (c *Codec) aead(id string) (string, cipher.AEAD, error) {
	if id, aead := c.known(id); aead != nil {
		return id, aead, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), keysWithin)
	defer cancel()
	if err := c.Load(ctx); err != nil {
		return "", nil, fmt.Errorf("%w: %w", errNoPayloadKey, err)
	}
	if id, aead := c.known(id); aead != nil {
		return id, aead, nil
	}
	return "", nil, fmt.Errorf("%w: there is no key %q", errNoPayloadKey, id)
}

func (c *Codec) known(id string) (string, cipher.AEAD) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id == "" {
		id = c.first
	}
	return id, c.aeads[id]
}

// Encode encrypts payloads, or leaves them as they are where encrypting is off.
func (c *Codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	if !c.Encrypt {
		return payloads, nil
	}
	id, aead, err := c.aead("")
	if err != nil {
		return payloads, err
	}
	out := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		plain, err := proto.Marshal(p)
		if err != nil {
			return payloads, fmt.Errorf("write a payload: %w", err)
		}
		nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
		_, _ = rand.Read(nonce) // never fails: crypto/rand ends the process rather than giving weak bytes
		out[i] = &commonpb.Payload{
			Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encodingEncrypted), metadataKey: []byte(id)},
			Data:     aead.Seal(nonce, nonce, plain, nil),
		}
	}
	return out, nil
}

// Decode decrypts payloads that are encrypted and leaves others as they are.
func (c *Codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	out := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		if string(p.GetMetadata()[converter.MetadataEncoding]) != encodingEncrypted {
			out[i] = p
			continue
		}
		_, aead, err := c.aead(string(p.Metadata[metadataKey]))
		if err != nil {
			return payloads, err
		}
		if len(p.Data) < aead.NonceSize() {
			return payloads, errors.New("an encrypted payload is too short")
		}
		plain, err := aead.Open(nil, p.Data[:aead.NonceSize()], p.Data[aead.NonceSize():], nil)
		if err != nil {
			return payloads, errors.New("an encrypted payload is damaged")
		}
		out[i] = &commonpb.Payload{}
		if err := proto.Unmarshal(plain, out[i]); err != nil {
			return payloads, fmt.Errorf("read a decrypted payload: %w", err)
		}
	}
	return out, nil
}

// DataConverter is what clients, workers and replayers convert with.
func (c *Codec) DataConverter() converter.DataConverter {
	return dataConverter{
		DataConverter: converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), c),
		inWorkflow:    workflow.DataConverterWithoutDeadlockDetection(converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), patient{c})),
	}
}

// failures is how errors are told over the wire. When encrypting is on, their texts and stack traces are encrypted too.
func (c *Codec) failures() converter.FailureConverter {
	return temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{DataConverter: c.DataConverter(), EncodeCommonAttributes: c.Encrypt})
}

// dataConverter converts in workflows in another way than elsewhere.
type dataConverter struct {
	converter.DataConverter
	inWorkflow converter.DataConverter
}

var _ workflow.ContextAware = dataConverter{}

// WithWorkflowContext gives what converts in a workflow.
func (d dataConverter) WithWorkflowContext(ctx workflow.Context) converter.DataConverter {
	return d.inWorkflow.(workflow.ContextAware).WithWorkflowContext(ctx)
}

// WithContext gives what converts elsewhere.
func (d dataConverter) WithContext(context.Context) converter.DataConverter { return d.DataConverter }

// patient is the codec in workflows. There an error would fail the workflow or drop a signal, for ever, while a panic fails the workflow task,
// which is tried again: that is the right thing for as long as a key is not to be had.
type patient struct{ *Codec }

func (p patient) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	return p.or(p.Codec.Encode(payloads))
}

func (p patient) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	return p.or(p.Codec.Decode(payloads))
}

func (patient) or(payloads []*commonpb.Payload, err error) ([]*commonpb.Payload, error) {
	if errors.Is(err, errNoPayloadKey) {
		panic(err)
	}
	return payloads, err
}
