// Command by_oapicodegen works a ticket through every family by clients that oapi-codegen made of the documents, and reads the house API by them.
// It ends with 0 when every answer was as its client expects.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"generated/oapicodegen/audit"
	"generated/oapicodegen/codec"
	"generated/oapicodegen/exception"
	"generated/oapicodegen/incident"
	"generated/oapicodegen/issue"
	"generated/oapicodegen/itsm"
	"generated/oapicodegen/publish"
	"generated/oapicodegen/service"
	"generated/oapicodegen/subscription"
)

var (
	ctx    = context.Background()
	server = os.Getenv("SIGNALBOX")
)

func signed(_ context.Context, r *http.Request) error {
	r.Header.Set("Authorization", "Access_Key "+os.Getenv("SIGNALBOX_KEY"))
	return nil
}

// made fails where a client could not be made.
func made[C any](c C, err error) C {
	if err != nil {
		log.Fatal(err)
	}
	return c
}

// body reads a request as its client has it.
func body[T any](text string) (v T) {
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		log.Fatalf("%s: %v", text, err)
	}
	return v
}

// told fails where an answer was not read as the one of success.
func told[A any](answer *A, raw []byte, err error) A {
	if err != nil || answer == nil {
		log.Fatalf("%T: %v: %s", answer, err, raw)
	}
	return *answer
}

func check(ok bool, what string, about any) {
	if !ok {
		log.Fatalf("%s: %+v", what, about)
	}
}

func main() {
	issues := made(issue.NewClientWithResponses(server, issue.WithRequestEditorFn(signed)))
	opened, err := issues.OpenIssueWithResponse(ctx, &issue.OpenIssueParams{}, body[issue.Opening](`{"origin": "oapi-codegen", "title": "made by a generated client"}`))
	number := told(opened.JSON200, opened.Body, err).Result
	read, err := issues.ReadIssueWithResponse(ctx, number)
	check(told(read.JSON200, read.Body, err).Status == "OPEN", "the issue is open", read)
	missing, err := issues.ReadIssueWithResponse(ctx, "IM000000000000000000000000")
	check(err == nil && missing.JSON4XX != nil && missing.JSON4XX.Message != "", "a refusal is read as one", missing)

	incidents := made(incident.NewClientWithResponses(server, incident.WithRequestEditorFn(signed)))
	handle := func(text string) {
		a, err := incidents.HandleIncidentWithResponse(ctx, &incident.HandleIncidentParams{}, body[incident.Handling](fmt.Sprintf(text, number)))
		told(a.JSON200, a.Body, err)
	}
	handle(`{"incident_num": %q, "operator": "wang", "operate_key": "acceptedIncident1", "parameter": {}}`)
	handle(`{"incident_num": %q, "operator": "wang", "operate_key": "commitSolution1", "parameter": {"mtm_type": "inc_type_p_config_issues", "is_service_interrupt": true, "cause": "100001", "solution": "20001"}}`)
	detail, err := incidents.ReadIncidentWithResponse(ctx, number)
	check(told(detail.JSON200, detail.Body, err).Data.IncidentNum == number, "the incident is that issue", detail)

	exceptions := made(exception.NewClientWithResponses(server, exception.WithRequestEditorFn(signed)))
	called, err := exceptions.ProcessExceptionCallbackWithResponse(ctx, number, &exception.ProcessExceptionCallbackParams{}, body[exception.Callback](`{"externalSystem": "OAPI", "externalIssueId": "1", "status": "RESOLVED", "resolutionNotes": "done"}`))
	told(called.JSON200, called.Body, err)
	read, err = issues.ReadIssueWithResponse(ctx, number)
	check(told(read.JSON200, read.Body, err).Status == "CLOSED", "three families later it is closed", read)
	timeline, err := issues.ReadTimelineWithResponse(ctx, number, &issue.ReadTimelineParams{})
	check(len(told(timeline.JSON200, timeline.Body, err).Result.Items) == 4, "four things happened", timeline)

	tickets := made(itsm.NewClientWithResponses(server, itsm.WithRequestEditorFn(signed)))
	created, err := tickets.PostProdV2ItsmCreateTicketWithResponse(ctx, body[itsm.PostProdV2ItsmCreateTicketJSONRequestBody](`{"fast_approval": true, "creator": "wang", "fields": [{"key": "title", "value": "x"}, {"key": "APPROVER", "value": "zhou"}, {"key": "APPROVAL_CONTENT", "value": "y"}]}`))
	union := told(created.JSON200, created.Body, err)
	done, err := union.AsPostProdV2ItsmCreateTicket200JSONResponseBody0()
	check(err == nil && done.Code == 0 && done.Data.Sn != "", "the ticket is created", string(created.Body))
	status, err := tickets.GetProdV2ItsmGetTicketStatusWithResponse(ctx, &itsm.GetProdV2ItsmGetTicketStatusParams{Sn: &done.Data.Sn})
	standing := told(status.JSON200, status.Body, err)
	state, err := standing.AsGetProdV2ItsmGetTicketStatus200JSONResponseBody0()
	check(err == nil && state.Data.CurrentStatus == "RUNNING" && state.Data.CurrentSteps[0].Processors == "zhou", "it waits for zhou", string(status.Body))
	voted, err := tickets.PostProdV2ItsmApproveWithResponse(ctx, body[itsm.PostProdV2ItsmApproveJSONRequestBody](fmt.Sprintf(`{"sn": %q, "state_id": %d, "approver": "zhou", "action": "true", "remark": "fine"}`, done.Data.Sn, state.Data.CurrentSteps[0].StateId)))
	vote := told(voted.JSON200, voted.Body, err)
	yes, err := vote.AsPostProdV2ItsmApprove200JSONResponseBody0()
	check(err == nil && yes.Code == 0, "zhou approves", string(voted.Body))

	events := made(publish.NewClientWithResponses(server, publish.WithRequestEditorFn(signed)))
	sent, err := events.PublishWithResponse(ctx, &publish.PublishParams{}, body[publish.Event](`{"event_source": "oapi", "event_topic": "t", "event_type": "u", "event_status": "v", "changes": ["1"]}`))
	check(told(sent.JSON200, sent.Body, err).Code == "000", "the event is taken", sent)

	subscriptions := made(subscription.NewClientWithResponses(server, subscription.WithRequestEditorFn(signed)))
	subscribed, err := subscriptions.SubscribeWithResponse(ctx, &subscription.SubscribeParams{}, body[subscription.SubscribeJSONRequestBody](`{"url": "http://127.0.0.1:9/oapi", "source": "nobody"}`))
	id := told(subscribed.JSON200, subscribed.Body, err).Result.Id
	found, err := subscriptions.ReadSubscriptionWithResponse(ctx, id.String())
	check(told(found.JSON200, found.Body, err).Result.Id == id, "the subscription is there", found)

	services := made(service.NewClientWithResponses(server, service.WithRequestEditorFn(signed)))
	const definition = `{"key": "oapicodegen", "name": "By a generated client", "nodes": [{"id": "only", "name": "Only", "type": "approval", "processors": {"persons": ["zhou"]}, "next": "done"}, {"id": "done", "name": "Done", "type": "end"}]}`
	published, err := services.PublishServiceWithResponse(ctx, &service.PublishServiceParams{}, body[service.Definition](definition))
	check(told(published.JSON200, published.Body, err).Result.Key == "oapicodegen", "the service is published", published)
	kept, err := services.ReadServiceWithResponse(ctx, "oapicodegen")
	check(len(told(kept.JSON200, kept.Body, err).Nodes) == 2, "and read", kept)
	faulty, err := services.PublishServiceWithResponse(ctx, &service.PublishServiceParams{}, body[service.Definition](`{"key": "oapicodegen", "name": "x", "nodes": []}`))
	check(err == nil && faulty.JSON400 != nil, "faults are read as such", faulty)

	codecs := made(codec.NewClientWithResponses(server, codec.WithRequestEditorFn(signed)))
	opaque, err := codecs.DecodePayloadsWithResponse(ctx, &codec.DecodePayloadsParams{XNamespace: new("default")}, body[codec.Payloads](`{"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}]}`))
	check(*(*told(opaque.JSON200, opaque.Body, err).Payloads)[0].Data == "MQ==", "what is not encrypted stays as it is", string(opaque.Body))

	audits := made(audit.NewClientWithResponses(server, audit.WithRequestEditorFn(signed)))
	entries, err := audits.ListAuditWithResponse(ctx, &audit.ListAuditParams{})
	check(len(told(entries.JSON200, entries.Body, err).Result.Items) > 0, "the audit has what was done", entries)
}
