package embedded

import (
	"fmt"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"

	"signalbox/cmd/dev/internal/ports"
)

const (
	clusterName = "active"
	// clusterID is kept in the data file on first use, so it must never change.
	clusterID = "8f1e9a52-6c1f-4f0b-9d5e-51b0c5a7d0e4"
	// historyShards is kept in the data file on first use: the server ignores a later change. With one writer, more shards
	// gain nothing; two make sure that calls between shards happen here as they do in production.
	historyShards = 2
	// postgresShards is what Temporal's own single-node example has.
	postgresShards = 4
	// mainStore and visibilityStore name what the server keeps apart; SQLite has both in one file.
	mainStore, visibilityStore = "main", "visibility"
)

// ports of everything that listens; ui is 0 when there is none.
type placement struct {
	frontend, history, matching, worker, ui int
}

// place settles on ports, checking those that were asked for: the server's own answer to a port in use is to end the
// process.
func place(o Options) (placement, error) {
	free, err := ports.Free(5)
	if err != nil {
		return placement{}, err
	}
	at := placement{frontend: free[0], history: free[1], matching: free[2], worker: free[3]}
	if o.Port != 0 {
		if err := ports.Check(o.Port); err != nil {
			return placement{}, fmt.Errorf("Temporal frontend: %w", err)
		}
		at.frontend = o.Port
	}
	switch {
	case o.UIPort == AnyPort:
		at.ui = free[4]
	case o.UIPort != 0:
		if err := ports.Check(o.UIPort); err != nil {
			return placement{}, fmt.Errorf("Temporal web UI: %w", err)
		}
		at.ui = o.UIPort
	}
	return at, nil
}

func newTemporal(o Options, at placement, db stores, log *logger) (temporal.Server, error) {
	conf := serverConfig(at, db)
	authorizer, err := authorization.GetAuthorizerFromConfig(&conf.Global.Authorization)
	if err != nil {
		return nil, fmt.Errorf("set up Temporal without authorization: %w", err)
	}
	claims, err := authorization.GetClaimMapperFromConfig(&conf.Global.Authorization, log)
	if err != nil {
		return nil, fmt.Errorf("set up Temporal without authorization: %w", err)
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(conf),
		temporal.ForServices(temporal.DefaultServices),
		// Fixed hosts: without them the services would look for each other by gossip, on more ports and for seconds.
		temporal.WithStaticHosts(map[primitives.ServiceName]static.Hosts{
			primitives.FrontendService: static.SingleLocalHost(ports.Address(at.frontend)),
			primitives.HistoryService:  static.SingleLocalHost(ports.Address(at.history)),
			primitives.MatchingService: static.SingleLocalHost(ports.Address(at.matching)),
			primitives.WorkerService:   static.SingleLocalHost(ports.Address(at.worker)),
		}),
		temporal.WithLogger(log),
		temporal.WithAuthorizer(authorizer),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return claims }),
		temporal.WithDynamicConfigClient(dynamicConfig(o.DynamicConfig)),
	)
	if err != nil {
		return nil, fmt.Errorf("set up Temporal: %w", err)
	}
	return server, nil
}

// serverConfig leaves the ports for HTTP, metrics, profiling and gossip at zero, which means that nothing listens there.
func serverConfig(at placement, db stores) *config.Config {
	service := func(port int) config.Service {
		return config.Service{RPC: config.RPC{GRPCPort: port, BindOnIP: ports.Loopback}}
	}
	var conf config.Config
	conf.Global.Membership.MaxJoinDuration = 10 * time.Second
	conf.Global.Membership.BroadcastAddress = ports.Loopback
	conf.Persistence = config.Persistence{
		DefaultStore:     mainStore,
		VisibilityStore:  visibilityStore,
		NumHistoryShards: db.shards,
		DataStores:       map[string]config.DataStore{mainStore: {SQL: db.main}, visibilityStore: {SQL: db.visibility}},
	}
	conf.ClusterMetadata = &cluster.Config{
		FailoverVersionIncrement: 10,
		MasterClusterName:        clusterName,
		CurrentClusterName:       clusterName,
		ClusterInformation: map[string]cluster.ClusterInformation{
			clusterName: {
				Enabled:                true,
				InitialFailoverVersion: 1,
				RPCAddress:             ports.Address(at.frontend),
				ClusterID:              clusterID,
			},
		},
	}
	conf.DCRedirectionPolicy.Policy = "noop"
	conf.Services = map[string]config.Service{
		string(primitives.FrontendService): service(at.frontend),
		string(primitives.HistoryService):  service(at.history),
		string(primitives.MatchingService): service(at.matching),
		string(primitives.WorkerService):   service(at.worker),
	}
	conf.Archival.History.State = "disabled"
	conf.Archival.Visibility.State = "disabled"
	conf.NamespaceDefaults.Archival.History.State = "disabled"
	conf.NamespaceDefaults.Archival.Visibility.State = "disabled"
	conf.PublicClient.HostPort = ports.Address(at.frontend)
	return &conf
}

// dynamicConfig raises the limits that protect a shared cluster and would only get in the way of one developer or a
// benchmark. What decides how workflows behave (updates in flight, history size) keeps the server's defaults, so that
// what works here works in production. Updates with start, schedules and worker versions are on by default.
func dynamicConfig(overrides map[string]any) dynamicconfig.StaticClient {
	const plenty = 100_000
	conf := dynamicconfig.StaticClient{
		dynamicconfig.FrontendRPS.Key():                                                        plenty,
		dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Key():                                 plenty,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key():                       plenty,
		dynamicconfig.FrontendMaxConcurrentLongRunningRequestsPerInstance.Key():                plenty,
		dynamicconfig.FrontendMaxNamespaceNamespaceReplicationInducingAPIsRPSPerInstance.Key(): plenty,
		dynamicconfig.FrontendPersistenceMaxQPS.Key():                                          plenty,
		dynamicconfig.HistoryRPS.Key():                                                         plenty,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():                                           plenty,
		dynamicconfig.MatchingRPS.Key():                                                        plenty,
		dynamicconfig.MatchingPersistenceMaxQPS.Key():                                          plenty,
		dynamicconfig.WorkerPersistenceMaxQPS.Key():                                            plenty,
		dynamicconfig.SchedulerNamespaceStartWorkflowRPS.Key():                                 float64(plenty),
		dynamicconfig.NamespaceCacheRefreshInterval.Key():                                      time.Second,
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key():                                       8192,
		// With the usual four partitions and few pollers a task can wait in a partition nobody polls yet.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,
		// The scanners look for leftovers of very long generations, in workflows and polls of their own.
		dynamicconfig.TaskQueueScannerEnabled.Key(): false,
		dynamicconfig.HistoryScannerEnabled.Key():   false,
		// As in deploy/temporal: a worker that ends is handed no more tasks.
		dynamicconfig.EnableCancelWorkerPollsOnShutdown.Key(): true,
		// This one asks the vendor whether there is a newer server.
		dynamicconfig.EnableServerVersionCheck.Key(): false,
	}
	for key, value := range overrides {
		conf[dynamicconfig.MakeKey(key)] = value
	}
	return conf
}
