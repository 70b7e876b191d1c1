package workflows

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	"signalbox/internal/aead"
)

// How an encrypted payload is told from others; both as in Temporal's own samples.
const (
	encodingEncrypted = "binary/encrypted"
	metadataKey       = "encryption-key-id"
)

// Codec keeps what Temporal stores of us encrypted, with AES-256-GCM: inputs, results, signals, updates, queries, memos, summaries, details and
// heartbeats, and with them the texts of failures. Search attributes, names and IDs stay as they are, because Temporal works with them.
//
// What is not encrypted passes through its Decode untouched. So it can be turned on over a running system, and off again, and what people send
// in plain is taken.
type Codec struct {
	// Encrypt turns encrypting on; what is encrypted is always decrypted.
	Encrypt bool
	// Keys reads all keys, the one to encrypt with first.
	Keys func(ctx context.Context) ([]aead.Key, error)

	mu   sync.Mutex
	keys *aead.Keyring // nil: not read yet
}

var _ converter.PayloadCodec = (*Codec)(nil)

// errNoPayloadKey tells that a key is not to be had now: it is not known, or nobody answers who knows it. The same may succeed later.
var errNoPayloadKey = errors.New("the payload key is not to be had now")

// keysWithin bounds reading the keys.
const keysWithin = 3 * time.Second

// Load reads the keys. A process that has done so at its start needs to read them again only for a key that it does not know.
func (c *Codec) Load(ctx context.Context) error {
	_, err := c.load(ctx)
	return err
}

func (c *Codec) load(ctx context.Context) (*aead.Keyring, error) {
	keys, err := c.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the payload keys: %w", err)
	}
	ring, err := aead.NewKeyring(keys...)
	if err != nil {
		return nil, fmt.Errorf("payload keys: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = ring
	return ring, nil
}

// keyring gives the keys that were read, or where there are none, or id is not among them, reads them once more. Without an id any will do.
func (c *Codec) keyring(id string) (*aead.Keyring, error) {
	c.mu.Lock()
	ring := c.keys
	c.mu.Unlock()
	if ring != nil && (id == "" || ring.Has(id)) {
		return ring, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), keysWithin)
	defer cancel()
	ring, err := c.load(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoPayloadKey, err)
	}
	return ring, nil
}

// Encode encrypts payloads, or leaves them as they are where encrypting is off.
func (c *Codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	if !c.Encrypt {
		return payloads, nil
	}
	keys, err := c.keyring("")
	if err != nil {
		return payloads, err
	}
	out := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		plain, err := proto.Marshal(p)
		if err != nil {
			return payloads, fmt.Errorf("write a payload: %w", err)
		}
		out[i] = &commonpb.Payload{
			Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encodingEncrypted), metadataKey: []byte(keys.InForce())},
			Data:     keys.Seal(plain, nil),
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
		id := string(p.Metadata[metadataKey])
		keys, err := c.keyring(id)
		if err != nil {
			return payloads, err
		}
		plain, err := keys.Open(cmp.Or(id, keys.InForce()), p.Data, nil)
		if errors.Is(err, aead.ErrUnknownKey) {
			return payloads, fmt.Errorf("%w: %w", errNoPayloadKey, err)
		}
		if err != nil {
			return payloads, fmt.Errorf("read an encrypted payload: %w", err)
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
