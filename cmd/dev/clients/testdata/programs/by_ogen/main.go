// Command by_ogen works a ticket through every family by clients that ogen made of the documents, and reads the house API by them. They check what they send
// and what they are answered against the schemas. It ends with 0 when every answer was the one of success.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"generated/ogen/audit"
	"generated/ogen/codec"
	"generated/ogen/exception"
	"generated/ogen/incident"
	"generated/ogen/issue"
	"generated/ogen/itsm"
	"generated/ogen/publish"
	"generated/ogen/service"
	"generated/ogen/subscription"
)

var (
	ctx    = context.Background()
	server = os.Getenv("SIGNALBOX")
)

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

// told fails where an answer is another than the one that is looked for.
func told[A any](answer any, err error) A {
	a, ok := answer.(A)
	if err != nil || !ok {
		log.Fatalf("%T, not %T: %v: %+v", answer, a, err, answer)
	}
	return a
}

func check(ok bool, what string, about any) {
	if !ok {
		log.Fatalf("%s: %+v", what, about)
	}
}

func main() {
	issues := made(issue.NewClient(server, issueKey{}))
	opened := told[*issue.OpenIssueOKHeaders](issues.OpenIssue(ctx, new(body[issue.Opening](`{"origin": "ogen", "title": "made by a generated client"}`)), issue.OpenIssueParams{}))
	number := opened.Response.Result
	read := told[*issue.Issue](issues.ReadIssue(ctx, issue.ReadIssueParams{ID: number}))
	check(read.Status == issue.IssueStatusOPEN, "the issue is open", read)
	missing := told[*issue.RefusedStatusCode](issues.ReadIssue(ctx, issue.ReadIssueParams{ID: "IM000000000000000000000000"}))
	check(missing.StatusCode == 404, "a refusal is read as one", missing)

	incidents := made(incident.NewClient(server, incidentKey{}))
	handle := func(text string) {
		told[*incident.HandleIncidentOKHeaders](incidents.HandleIncident(ctx, body[incident.Handling](fmt.Sprintf(text, number)), incident.HandleIncidentParams{}))
	}
	handle(`{"incident_num": %q, "operator": "wang", "operate_key": "acceptedIncident1", "parameter": {}}`)
	handle(`{"incident_num": %q, "operator": "wang", "operate_key": "commitSolution1", "parameter": {"mtm_type": "inc_type_p_config_issues", "is_service_interrupt": true, "cause": "100001", "solution": "20001"}}`)
	detail := told[*incident.ReadIncidentOK](incidents.ReadIncident(ctx, incident.ReadIncidentParams{IncidentNum: incident.RequiredName(number)}))
	check(string(detail.Data.IncidentNum) == number, "the incident is that issue", detail)

	exceptions := made(exception.NewClient(server, exceptionKey{}))
	told[*exception.ProcessExceptionCallbackOKHeaders](exceptions.ProcessExceptionCallback(ctx, new(body[exception.Callback](`{"externalSystem": "OGEN", "externalIssueId": "1", "status": "RESOLVED", "resolutionNotes": "done"}`)),
		exception.ProcessExceptionCallbackParams{ExceptionId: number}))
	read = told[*issue.Issue](issues.ReadIssue(ctx, issue.ReadIssueParams{ID: number}))
	check(read.Status == issue.IssueStatusCLOSED, "three families later it is closed", read)
	timeline := told[*issue.ReadTimelineOK](issues.ReadTimeline(ctx, issue.ReadTimelineParams{ID: number}))
	check(len(timeline.Result.Items) == 4, "four things happened", timeline)

	tickets := made(itsm.NewClient(server, itsmKey{}))
	created := told[*itsm.PostProdV2ItsmCreateTicketOKHeaders](tickets.PostProdV2ItsmCreateTicket(ctx, itsm.NewOptNilPostProdV2ItsmCreateTicketReq(
		body[itsm.PostProdV2ItsmCreateTicketReq](`{"fast_approval": true, "creator": "wang", "fields": [{"key": "title", "value": "x"}, {"key": "APPROVER", "value": "zhou"}, {"key": "APPROVAL_CONTENT", "value": "y"}]}`))))
	sn := created.Response.PostProdV2ItsmCreateTicketOK0.Data.Sn
	check(sn != "", "the ticket is created", created)
	status := told[*itsm.GetProdV2ItsmGetTicketStatusOKHeaders](tickets.GetProdV2ItsmGetTicketStatus(ctx, itsm.GetProdV2ItsmGetTicketStatusParams{Sn: itsm.NewOptString(sn)}))
	state := status.Response.GetProdV2ItsmGetTicketStatusOK0.Data
	check(state.CurrentStatus == "RUNNING" && state.CurrentSteps[0].Processors == "zhou", "it waits for zhou", state)
	voted := told[*itsm.PostProdV2ItsmApproveOKHeaders](tickets.PostProdV2ItsmApprove(ctx, itsm.NewOptNilPostProdV2ItsmApproveReq(
		body[itsm.PostProdV2ItsmApproveReq](fmt.Sprintf(`{"sn": %q, "state_id": %d, "approver": "zhou", "action": "true", "remark": "fine"}`, sn, state.CurrentSteps[0].StateID)))))
	check(voted.Response.PostProdV2ItsmApproveOK0.Result, "zhou approves", voted)

	events := made(publish.NewClient(server, publishKey{}))
	sent := told[*publish.PublishOKHeaders](events.Publish(ctx, new(body[publish.Event](`{"event_source": "ogen", "event_topic": "t", "event_type": "u", "event_status": "v", "changes": ["1"]}`)), publish.PublishParams{}))
	check(sent.Response.Code == "000", "the event is taken", sent)

	subscriptions := made(subscription.NewClient(server, subscriptionKey{}))
	subscribed := told[*subscription.SubscribeOKHeaders](subscriptions.Subscribe(ctx, new(body[subscription.SubscribeReq](`{"url": "http://127.0.0.1:9/ogen", "source": "nobody"}`)), subscription.SubscribeParams{}))
	id := subscribed.Response.Result.ID
	found := told[*subscription.ReadSubscriptionOK](subscriptions.ReadSubscription(ctx, subscription.ReadSubscriptionParams{ID: id.String()}))
	check(found.Result.ID == id, "the subscription is there", found)

	services := made(service.NewClient(server, serviceKey{}))
	const definition = `{"key": "ogen", "name": "By a generated client", "nodes": [{"id": "only", "name": "Only", "type": "approval", "processors": {"persons": ["zhou"]}, "next": "done"}, {"id": "done", "name": "Done", "type": "end"}]}`
	told[*service.PublishServiceOKHeaders](services.PublishService(ctx, new(body[service.Definition](definition)), service.PublishServiceParams{}))
	kept := told[*service.Definition](services.ReadService(ctx, service.ReadServiceParams{Key: "ogen"}))
	check(len(kept.Nodes) == 2, "the service is read", kept)

	codecs := made(codec.NewClient(server, codecKey{}))
	opaque := told[*codec.Payloads](codecs.DecodePayloads(ctx, new(body[codec.Payloads](`{"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}]}`)), codec.DecodePayloadsParams{}))
	check(len(opaque.Payloads) == 1, "what is not encrypted stays as it is", opaque)

	audits := made(audit.NewClient(server, auditKey{}))
	entries := told[*audit.ListAuditOK](audits.ListAudit(ctx, audit.ListAuditParams{}))
	check(len(entries.Result.Items) > 0, "the audit has what was done", entries)
}
