package workflows

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/sethvargo/go-retry"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"

	"signalbox/internal/tracing"
	traces "signalbox/internal/tracing/interceptor"
)

// Connection says where Temporal is and how to be let in: a cluster of one's own, or Temporal Cloud by TLS and API key or certificate.
type Connection struct {
	Address       string `default:"127.0.0.1:7233" desc:"host:port of Temporal's frontend"`
	Namespace     string `default:"default" desc:"Temporal namespace"`
	APIKey        string `split_words:"true" desc:"API key for Temporal; implies TLS"`
	TLS           bool   `desc:"connect with TLS"`
	TLSCA         string `envconfig:"TLS_CA" desc:"file with the certificate authority to trust, instead of the system's"`
	TLSCert       string `split_words:"true" desc:"file with the client certificate"`
	TLSKey        string `split_words:"true" desc:"file with the client certificate's key"`
	TLSServerName string `split_words:"true" desc:"name to expect in the server's certificate"`
	// Metrics is what the SDK counts with; nil: nothing is counted.
	Metrics client.MetricsHandler `ignored:"true"`
	// Tracer is what traces are taken through Temporal by; nil: none are.
	Tracer *tracing.Tracer `ignored:"true"`
}

// Dial makes a client, whose payloads go through the codec, and so do those of workers that use it; nil: they stay as they are. It does not
// connect yet: an unreachable Temporal is found out by the first call, and got over by later ones.
func (c Connection) Dial(log *slog.Logger, codec *Codec) (client.Client, error) {
	options := client.Options{HostPort: c.Address, Namespace: c.Namespace, Logger: sdklog.NewStructuredLogger(log), MetricsHandler: c.Metrics}
	// What we send is small, and often ciphertext: packing it would take a sixth of a worker's time, and as much of the server's.
	options.ConnectionOptions.GrpcCompression = &client.GrpcCompressionNone{}
	if codec != nil {
		options.DataConverter, options.FailureConverter = codec.DataConverter(), codec.failures()
	}
	if c.Tracer != nil {
		headers := options.DataConverter
		if headers == nil {
			headers = converter.GetDefaultDataConverter()
		}
		options.Interceptors = []interceptor.ClientInterceptor{traces.New(c.Tracer, headers, TypeTicket)}
	}
	if c.APIKey != "" {
		options.Credentials = client.NewAPIKeyStaticCredentials(c.APIKey)
	}
	if c.TLS || c.APIKey != "" || c.TLSCA != "" || c.TLSCert != "" {
		config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.TLSServerName}
		if c.TLSCA != "" {
			pem, err := os.ReadFile(c.TLSCA)
			if err != nil {
				return nil, fmt.Errorf("read the certificate authority: %w", err)
			}
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("%s holds no certificate", c.TLSCA)
			}
		}
		if c.TLSCert != "" {
			pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
			if err != nil {
				return nil, fmt.Errorf("read the client certificate: %w", err)
			}
			config.Certificates = []tls.Certificate{pair}
		}
		options.ConnectionOptions.TLS = config
	}
	return client.NewLazyClient(options)
}

// Prepare makes sure that the namespace and the search attributes exist. It may be repeated. A namespace that is there is left as it is.
func Prepare(ctx context.Context, c client.Client, namespace string, retention time.Duration) error {
	// Asked first: Temporal Cloud and others who make namespaces for us do not let us register one.
	_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	var absent *serviceerror.NamespaceNotFound
	if errors.As(err, &absent) {
		_, err = c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(retention),
		})
	}
	var exists *serviceerror.NamespaceAlreadyExists
	if err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("prepare the namespace %s: %w", namespace, err)
	}
	have, err := untilVisible(ctx, func() (*operatorservice.ListSearchAttributesResponse, error) {
		return c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	})
	if err != nil {
		return fmt.Errorf("list search attributes: %w", err)
	}
	missing := map[string]enumspb.IndexedValueType{}
	for _, key := range Attributes() {
		if _, ok := have.GetCustomAttributes()[key.GetName()]; !ok {
			missing[key.GetName()] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
		}
	}
	if len(missing) == 0 {
		return untilUsable(ctx, c, namespace)
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: missing})
	var there *serviceerror.AlreadyExists
	if err != nil && !errors.As(err, &there) {
		return fmt.Errorf("add search attributes: %w", err)
	}
	return untilUsable(ctx, c, namespace)
}

// usableWithin is how long a cluster may take to know search attributes that were added; servers look for them every few seconds.
const usableWithin = 2 * time.Minute

// askAgain is how long a server is left alone that does not know a new namespace or attribute yet.
const askAgain = 200 * time.Millisecond

// untilUsable waits until the search attributes can be asked for. A server that does not know them yet refuses to start a ticket.
func untilUsable(ctx context.Context, c client.Client, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, usableWithin)
	defer cancel()
	var terms []string
	for _, key := range Attributes() {
		terms = append(terms, key.GetName()+" = 'none'")
	}
	var answer error
	err := retry.Constant(ctx, askAgain, func(ctx context.Context) error {
		_, answer = c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace, Query: strings.Join(terms, " AND ")})
		var unknown *serviceerror.InvalidArgument
		var notFound *serviceerror.NamespaceNotFound
		if errors.As(answer, &unknown) || errors.As(answer, &notFound) {
			return retry.RetryableError(answer)
		}
		return answer
	})
	if err != nil {
		// Where the time was up, what the server said last tells more.
		return fmt.Errorf("wait for the search attributes: %w", cmp.Or(answer, err))
	}
	return nil
}

// untilVisible asks again while a new namespace has not reached every part of the cluster yet.
func untilVisible[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	return retry.DoValue(ctx, retry.NewConstant(askAgain), func(context.Context) (T, error) {
		answer, err := ask()
		var notFound *serviceerror.NamespaceNotFound
		if errors.As(err, &notFound) {
			err = retry.RetryableError(err)
		}
		return answer, err
	})
}
