package setup

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"signalbox/activities"
	"signalbox/worker"
)

// Checked are settings that know whether they can work. Load asks them once all are read, so that what cannot work stops the start instead of
// surfacing later, or never.
type Checked interface {
	// Check names every setting at fault.
	Check() error
}

// Check checks what every process needs to know.
func (b Base) Check() error {
	return errors.Join(AtLeastOne("PARTITIONS", b.Partitions), b.Mail.Check())
}

// Check checks the settings of the API.
func (s *API) Check() error {
	return errors.Join(s.Base.Check(), s.APISettings.Check(), AtLeastOne("DATABASE_CONNECTIONS", s.DatabaseConnections),
		longEnough("STOP_DELAY", s.StopDelay, 0))
}

// Check checks the settings of a worker.
func (s *Worker) Check() error {
	return errors.Join(s.Base.Check(), s.WorkerSettings.Check(), AtLeastOne("DATABASE_CONNECTIONS", s.DatabaseConnections))
}

// Check checks the settings of migrate.
func (s *Migrate) Check() error {
	return errors.Join(s.Base.Check(), s.Admins.Check(), longEnough("TEMPORAL_RETENTION", s.TemporalRetention, time.Hour))
}

// Check checks what a process that serves the families needs.
func (s APISettings) Check() error {
	var anonymous, certificate error
	if s.PublishAnonymous && s.PublishTenant == "" {
		anonymous = wrong("PUBLISH_TENANT", "is required with "+key("PUBLISH_ANONYMOUS"))
	}
	if (s.TLSCert == "") != (s.TLSKey == "") {
		certificate = wrong("TLS_KEY", "goes together with "+key("TLS_CERT")+": set both or none")
	}
	return errors.Join(anonymous, certificate, s.Admins.Check(), s.OIDC.Check(),
		AtLeastOne("BODY_LIMIT", s.BodyLimit),
		AtLeastOne("HEADER_LIMIT", s.HeaderLimit),
		AtLeastOne("CONCURRENT_REQUESTS", s.ConcurrentRequests),
		AtLeastOne("EXCEPTIONS_PER_MINUTE", s.ExceptionsPerMinute),
		longEnough("EXCEPTION_CLOCK_AHEAD", s.ExceptionClockAhead, time.Millisecond),
		longEnough("REQUEST_TIMEOUT", s.RequestTimeout, time.Millisecond),
		longEnough("READ_TIMEOUT", s.ReadTimeout, time.Millisecond),
		longEnough("WRITE_TIMEOUT", s.WriteTimeout, time.Millisecond),
		longEnough("IDLE_TIMEOUT", s.IdleTimeout, time.Millisecond),
	)
}

// Check checks what a process that works needs.
func (s WorkerSettings) Check() error {
	var queues, versioning error
	if err := worker.CheckQueues(s.WorkerQueues); err != nil {
		queues = wrong("WORKER_QUEUES", err.Error())
	}
	if (s.DeploymentName == "") != (s.BuildID == "") {
		versioning = wrong("BUILD_ID", "goes together with "+key("DEPLOYMENT_NAME")+": set both or none")
	}
	_, profiles := s.profiles()
	return errors.Join(queues, versioning, profiles,
		AtLeastOne("DELIVERY_CONCURRENCY", s.DeliveryConcurrency),
		AtLeastOne("DELIVERY_PER_HOST", s.DeliveryPerHost),
		longEnough("KEEP_DELIVERIES", s.KeepDeliveries, time.Minute),
		longEnough("KEEP_OPERATIONS", s.KeepOperations, activities.MinOperations),
		longEnough("KEEP_AUDIT", s.KeepAudit, s.KeepOperations),
		longEnough("PRUNE_EVERY", s.PruneEvery, time.Second),
		longEnough("COMPARE_EVERY", s.CompareEvery, time.Second),
		longEnough("ATTEND_EVERY", s.AttendEvery, time.Second),
		longEnough("SWEEP_EVERY", s.SweepEvery, time.Second), // what a Temporal Schedule can do
	)
}

// AtLeastOne refuses a number below one. The name is without the prefix that all settings have.
func AtLeastOne(name string, value int) error {
	if value < 1 {
		return wrong(name, "must be at least 1")
	}
	return nil
}

func longEnough(name string, value, least time.Duration) error {
	if value < least {
		return wrong(name, fmt.Sprintf("must be at least %s", least))
	}
	return nil
}

func wrong(name, why string) error { return fmt.Errorf("setting %s: %s", key(name), why) }

// key is a setting's name in the environment.
func key(name string) string { return strings.ToUpper(Prefix) + "_" + name }
