// Works a ticket through every family by openapi-fetch with types that openapi-typescript made of the documents, and reads the house API by them. It ends
// with 0 when every answer was as its type says.
import createClient from "openapi-fetch";
import type { paths as Audit } from "./audit.js";
import type { paths as Codec } from "./codec.js";
import type { paths as Exception } from "./exception.js";
import type { paths as Incident } from "./incident.js";
import type { paths as Issue } from "./issue.js";
import type { paths as Itsm } from "./itsm.js";
import type { paths as Publish } from "./publish.js";
import type { paths as Service } from "./service.js";
import type { paths as Subscription } from "./subscription.js";

const baseUrl = process.env.SIGNALBOX!;
const headers = { Authorization: `Access_Key ${process.env.SIGNALBOX_KEY}` };

/** What was answered, where it was the answer of success. */
function told<T>(what: string, answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data === undefined) {
    throw new Error(`${what}: ${answer.response.status} ${JSON.stringify(answer.error)}`);
  }
  return answer.data;
}

function check(ok: boolean, what: string, about: unknown): asserts ok {
  if (!ok) {
    throw new Error(`${what}: ${JSON.stringify(about)}`);
  }
}

const issues = createClient<Issue>({ baseUrl, headers });
const id = told("open", await issues.POST("/api/issue", { body: { origin: "typescript", title: "made with generated types" } })).result;
const opened = told("read", await issues.GET("/api/issue/{id}", { params: { path: { id } } }));
check(opened.status === "OPEN" && opened.relations.length === 0, "the issue is open", opened);
const missing = await issues.GET("/api/issue/{id}", { params: { path: { id: "IM000000000000000000000000" } } });
check(missing.error?.success === false, "a refusal is read as one", missing.error);
const found = told("list", await issues.GET("/api/issue", { params: { query: { origin: "typescript", phase: ["triggered"], limit: 5 } } }));
check(found.result.items.some((item) => item.id === id), "the issue is listed", found);

const incidents = createClient<Incident>({ baseUrl, headers });
told("accept", await incidents.POST("/v1/external/incident/handle", { body: { incident_num: id, operator: "wang", operate_key: "acceptedIncident1", parameter: {} } }));
told(
  "commit",
  await incidents.POST("/v1/external/incident/handle", {
    body: {
      incident_num: id,
      operator: "wang",
      operate_key: "commitSolution1",
      parameter: { mtm_type: "inc_type_p_config_issues", is_service_interrupt: true, cause: "100001", solution: "20001" },
    },
  }),
);
const incident = told("detail", await incidents.GET("/v1/external/incident/{incident_num}", { params: { path: { incident_num: id } } }));
check(incident.data.incident_num === id, "the incident is that issue", incident);

const exceptions = createClient<Exception>({ baseUrl, headers });
told(
  "callback",
  await exceptions.POST("/v1/exceptions/{exceptionId}/callback", {
    params: { path: { exceptionId: id } },
    body: { externalSystem: "TYPESCRIPT", externalIssueId: "1", status: "RESOLVED", resolutionNotes: "done" },
  }),
);
const closed = told("read", await issues.GET("/api/issue/{id}", { params: { path: { id } } }));
check(closed.status === "CLOSED", "three families later it is closed", closed);
const timeline = told("timeline", await issues.GET("/api/issue/{id}/timeline", { params: { path: { id } } }));
check(timeline.result.items.length === 4, "four things happened", timeline);

const tickets = createClient<Itsm>({ baseUrl, headers });
const created = told(
  "create",
  await tickets.POST("/prod/v2/itsm/create_ticket/", {
    body: {
      fast_approval: true,
      creator: "wang",
      fields: [
        { key: "title", value: "x" },
        { key: "APPROVER", value: "zhou" },
        { key: "APPROVAL_CONTENT", value: "y" },
      ],
    },
  }),
);
check(created.result, "the ticket is created", created);
const status = told("status", await tickets.GET("/prod/v2/itsm/get_ticket_status/", { params: { query: { sn: created.data.sn } } }));
check(status.result && status.data.current_status === "RUNNING", "it runs", status);
const step = status.data.current_steps[0];
check(step?.processors === "zhou", "it waits for zhou", step);
const voted = told(
  "approve",
  await tickets.POST("/prod/v2/itsm/approve/", { body: { sn: created.data.sn, state_id: step.state_id, approver: "zhou", action: "true", remark: "fine" } }),
);
check(voted.result, "zhou approves", voted);

const events = createClient<Publish>({ baseUrl, headers });
const sent = told("publish", await events.POST("/api/publish", { body: { event_source: "ts", event_topic: "t", event_type: "u", event_status: "v", changes: ["1"] } }));
check(sent.code === "000", "the event is taken", sent);

const subscriptions = createClient<Subscription>({ baseUrl, headers });
const subscribed = told("subscribe", await subscriptions.POST("/api/subscription", { body: { url: "http://127.0.0.1:9/typescript", source: "nobody" } }));
const subscription = told("read", await subscriptions.GET("/api/subscription/{id}", { params: { path: { id: subscribed.result.id } } }));
check(subscription.result.id === subscribed.result.id, "the subscription is there", subscription);

const services = createClient<Service>({ baseUrl, headers });
told(
  "publish service",
  await services.POST("/api/service", {
    body: {
      key: "typescript",
      name: "With generated types",
      nodes: [
        { id: "only", name: "Only", type: "approval", processors: { persons: ["zhou"] }, next: "done" },
        { id: "done", name: "Done", type: "end" },
      ],
    },
  }),
);
const service = told("read service", await services.GET("/api/service/{key}", { params: { path: { key: "typescript" } } }));
check(service.nodes.length === 2, "the service is read", service);

const codecs = createClient<Codec>({ baseUrl, headers });
const opaque = told("decode", await codecs.POST("/codec/decode", { body: { payloads: [{ metadata: { encoding: "anNvbi9wbGFpbg==" }, data: "MQ==" }] } }));
check(opaque.payloads?.[0]?.data === "MQ==", "what is not encrypted stays as it is", opaque);

const audits = createClient<Audit>({ baseUrl, headers });
const entries = told("audit", await audits.GET("/api/audit", {}));
check(entries.result.items.length > 0, "the audit has what was done", entries);
