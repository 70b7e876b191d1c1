package demo

import (
	"bytes"
	"net/http"
	"time"
)

// Persons are whom the script names beside those whom a development system has: they are asked, and can sign in.
var Persons = []struct{ ID, Name, Group string }{
	{"hana", "Hana Kim", "hr"},
	{"hugo", "Hugo Roth", "hr"},
	{"li", "Li Na", "finance"},
	{"omar", "Omar Said", "finance"},
}

const week = 7 * 24 * time.Hour

func (s *script) everything() {
	s.people()
	s.services()
	s.followers()
	s.leaves()
	s.incidents()
	s.issues()
	s.reconciliations()
	s.approvals()
	s.events()
}

func (s *script) people() {
	s.ask(http.MethodPatch, "/api/person/ann", body{"email": "ann@example.com", "language": "en", "time_zone": "Europe/Berlin"})
	s.ask(http.MethodPatch, "/api/person/chen", body{"email": "chen@example.com", "language": "zh", "time_zone": "Asia/Shanghai"})
	s.ask(http.MethodPost, "/api/absence", body{"person": "bob", "from": s.day(3), "to": s.day(10), "deputy": "ann"})
	s.ask(http.MethodPost, "/api/absence", body{"person": "hugo", "from": s.day(-1), "to": s.day(5), "deputy": "ann", "services": []string{"leave"}})
}

func (s *script) services() {
	for _, name := range []string{"leave.yaml", "reconciliation.yaml"} {
		source, err := services.ReadFile(name)
		if err != nil {
			s.err = err
			return
		}
		s.ask(http.MethodPost, "/api/service", bytes.ReplaceAll(source, []byte("RECEIVER"), []byte(s.Receiver)))
	}
}

// followers are told from the beginning: one takes everything, one publishes on, one is out of order, and one is paused.
func (s *script) followers() {
	add := func(b body) string {
		var answer struct{ Result struct{ ID string } }
		s.read(s.ask(http.MethodPost, "/api/subscription", b), &answer)
		return answer.Result.ID
	}
	add(body{"url": s.Receiver + "/demo/status", "source": "signalbox", "topic": "ticket", "type": "status"})
	add(body{"url": s.Receiver + "/demo/publish", "source": "certificates", "format": "publish"})
	add(body{"url": s.Receiver + "/demo/broken", "source": "signalbox", "topic": "ticket", "type": "status", "status": "CLOSED", "profile": "minutely"})
	paused := add(body{"url": s.Receiver + "/demo/archive", "source": "signalbox", "topic": "ticket", "type": "conversation"})
	s.ask(http.MethodPost, "/api/subscription/"+paused+"/pause", body{})
}

func (s *script) leaves() {
	ask := func(who, title string, from, days int) string {
		return s.open(body{"origin": "hr-portal", "title": title, "service": "leave", "opener": who, "fields": body{"from": s.day(from), "days": days}})
	}
	yes := func(number, who, node, comment string) { s.act(number, who, "approve", node, body{"comment": comment}) }
	no := func(number, who, node, comment string) { s.act(number, who, "reject", node, body{"comment": comment}) }

	ask("ann", "Leave: a long weekend", 11, 2)
	ask("bob", "Leave: moving house", 9, 1)
	handed := ask("ann", "Leave: my sister's wedding", 20, 3)
	s.act(handed, "chen", "deliver", "manager", body{"targets": []string{"hana"}, "comment": "I am out this week"})
	for i, title := range []string{"Leave: skiing", "Leave: dentist", "Leave: spring festival"} {
		number := ask([]string{"ann", "bob", "ann"}[i], title, 14+i, 1+2*i)
		yes(number, "chen", "manager", "Have fun")
	}
	back := ask("bob", "Leave: the week of the release", 5, 5)
	no(back, "chen", "manager", "Not in that week, please; the one after?")
	s.say(back, "bob", "@chen would from Wednesday on be possible?")
	two := ask("ann", "Leave: a month in Patagonia", 60, 20)
	yes(two, "chen", "manager", "")
	yes(two, "hana", "hr", "Enough days left")
	all := ask("bob", "Leave: parental leave", 40, 30)
	yes(all, "chen", "manager", "Congratulations!")
	yes(all, "hana", "hr", "")
	yes(all, "hugo", "hr", "")
	withdrawn := ask("ann", "Leave: a course", 8, 1)
	s.act(withdrawn, "ann", "withdraw", "", body{"reason": "The course was cancelled"})
	given := ask("bob", "Leave: world cup", 30, 4)
	no(given, "chen", "manager", "Everybody wants that week")
	s.act(given, "bob", "terminate", "revise", body{"reason": "Then I watch at home"})
	refused := ask("bob", "Leave: half a year", 90, 130)
	yes(refused, "chen", "manager", "Let HR say")
	no(refused, "hana", "hr", "Unpaid leave is another form")
}

const handle = "/v1/external/incident/handle"

func (s *script) incidents() {
	open := func(level, title, text, who string, ago time.Duration) string {
		var answer struct {
			Data struct {
				Number string `json:"incident_num"`
			}
		}
		s.read(s.ask(http.MethodPost, "/v1/external/incident/create", body{"region": []string{"cn-north-4"}, "current_cloud_service": []string{"orders"}, "incident_level": level,
			"is_service_interrupt": level == "level_10", "incident_type": "inc_type_p_reliability_issues", "incident_title": title, "incident_description": text,
			"incident_source": "incident_source_alarm", "incident_assignee": []string{who}, "creator": "monitoring", "start_time": s.ago(ago)}), &answer)
		s.tickets++
		return answer.Data.Number
	}
	do := func(number, who, key string, parameter body) {
		s.ask(http.MethodPost, handle, body{"incident_num": number, "operator": who, "operate_key": key, "parameter": parameter})
	}
	accept := func(number, who string) { do(number, who, "acceptedIncident1", body{}) }
	solve := func(number, who, cause, solution string, began, over time.Duration) {
		do(number, who, "commitSolution1", body{"mtm_type": "inc_type_p_config_issues", "is_service_interrupt": true, "cause": cause, "solution": solution,
			"start_time": s.ago(began), "fault_recovery_time": s.ago(over)})
	}
	confirm := func(number string, yes bool, comment string) {
		do(number, "monitoring", "confirm", body{"virtual_confirm_result": yes, "virtual_confirm_comment": comment})
	}

	open("level_10", "Orders cannot be paid for", "Every payment times out.", "ann", time.Hour)
	open("level_30", "Disk of the order database at 90 %", "Grows by 2 % an hour.", "bob", 20*time.Hour)
	open("level_40", "Certificate of the shop ends in 14 days", "shop.example.com", "bob", 40*time.Hour)
	for i, title := range []string{"Search answers slowly", "A node of the queue restarts again and again", "Mails arrive twice"} {
		number := open("level_20", title, "Since the night.", "ann", time.Duration(10+i)*time.Hour)
		accept(number, []string{"ann", "bob", "ann"}[i])
		s.say(number, "ann", "Looking at it. @bob have you seen this before?")
	}
	for i, title := range []string{"Prices of yesterday are shown", "Log-in fails from one country"} {
		began := time.Duration(30+10*i) * time.Hour
		number := open("level_20", title, "Customers report it.", "bob", began)
		accept(number, "bob")
		solve(number, "bob", "A cache was not emptied", "Emptied, and its time shortened", began, began-2*time.Hour)
	}
	for i, title := range []string{"The warehouse gets no orders", "Half of the pictures are missing", "Reports are empty"} {
		began := time.Duration(i+2) * 48 * time.Hour
		number := open("level_30", title, "Found by the night shift.", "ann", began)
		accept(number, "ann")
		solve(number, "ann", "A setting was lost with the release", "Put back", began, began-3*time.Hour)
		if i == 1 {
			confirm(number, false, "Still missing in the app")
			solve(number, "ann", "A second cache", "Emptied as well", began, began-5*time.Hour)
		}
		confirm(number, true, "Works again")
	}
	held := open("level_40", "A vendor's service answers with 502", "Their ticket is 88123.", "bob", week-time.Hour)
	accept(held, "bob")
	s.act(held, "bob", "suspend", "", body{"reason": "Waiting for the vendor"})
}

func (s *script) issues() {
	open := func(title string, relations []body, tags ...string) string {
		return s.open(body{"origin": "customs", "title": title, "description": "Found at the evening's comparison.", "tag": tags, "relations": relations})
	}
	parcels := func(items ...string) []body { return []body{{"type": "manifest", "content": items}} }
	open("Weight differs from the declaration", parcels("M-1001", "M-1002"), "weight")
	open("A parcel is in two manifests", parcels("M-1003", "M-1007", "M-1011"), "manifest", "twice")
	talked := open("No declaration for a parcel", parcels("M-1020"), "declaration")
	s.say(talked, "customs", "The carrier says that it was sent.")
	s.say(talked, "ann", "Nothing has arrived here. Asked again.")
	s.ask(http.MethodPut, "/api/issue/"+talked+"/relations/declaration", body{"content": []string{"D-77"}})
	told := open("The consignee's name is missing", parcels("M-1031"), "declaration")
	s.ask(http.MethodPost, "/api/issue/"+told+"/notification", body{"url": s.Receiver + "/demo/customs"})
	s.say(told, "ann", "Added; please compare again.")
	closed := open("A manifest came twice", parcels("M-1040"), "manifest")
	s.ask(http.MethodPut, "/api/issue/"+closed+"/status", body{"status": "CLOSED", "operator": "ann", "reason": "A repetition; nothing to do"})
	again := open("The currency is unknown", parcels("M-1050"), "declaration")
	s.ask(http.MethodPut, "/api/issue/"+again+"/status", body{"status": "CLOSED", "operator": "ann", "reason": "Entered by hand"})
	s.ask(http.MethodPut, "/api/issue/"+again+"/status", body{"status": "OPEN", "operator": "bob", "reason": "The same again today"})
}

func (s *script) reconciliations() {
	open := func(title, ledger, amount, priority string) string {
		return s.open(body{"origin": "ledger", "title": title, "service": "reconciliation", "fields": body{"ledger": ledger, "amount": amount, "priority": priority}})
	}
	settle := func(number, who string) {
		s.act(number, who, "claim", "look", nil)
		s.act(number, who, "accept", "look", nil)
		s.act(number, who, "submit", "settle", body{"fields": body{"right": "The bank's statement; booked to the wrong month"}})
	}
	callback := func(number, status, issue, who, notes string) {
		s.ask(http.MethodPost, "/v1/exceptions/"+number+"/callback", body{"externalSystem": "JIRA", "externalIssueId": issue, "status": status, "assignee": who, "resolutionNotes": notes})
	}
	open("EUR 12.00 too little on 4711", "erp", "12.00", "low")
	open("EUR 8,300.00 are on no account", "erp", "8300.00", "high") // breaks its promise after a minute
	claimed := open("A payment was booked twice", "erp", "99.90", "low")
	s.act(claimed, "li", "claim", "look", nil)
	taken := open("Interest of a closed account", "erp", "0.37", "low")
	s.act(taken, "omar", "claim", "look", nil)
	s.act(taken, "omar", "accept", "look", nil)
	for i, title := range []string{"Fees of the card scheme", "A refund without an order"} {
		settle(open(title, "erp", "45.10", "low"), []string{"li", "omar"}[i])
	}
	for _, title := range []string{"A transfer of last year", "A correction that nobody has signed"} {
		settle(open(title, "broken", "1.00", "low"), "li") // the ledger is out of order: it cannot be booked
	}
	elsewhere := open("Clearing differs by one cent", "erp", "0.01", "low")
	s.act(elsewhere, "li", "claim", "look", nil)
	callback(elsewhere, "ASSIGNED", "RECON-31", "li", "")
	solved := open("A batch was not closed", "erp", "510.00", "low")
	s.act(solved, "omar", "claim", "look", nil)
	callback(solved, "ASSIGNED", "RECON-32", "omar", "")
	callback(solved, "RESOLVED", "RECON-32", "", "The batch was closed by hand")
}

// approvals are those of the itsm family. One has a callback that goes wrong.
func (s *script) approvals() {
	open := func(title, callback string) string {
		var created struct{ SN string }
		s.read(s.itsm("create_ticket", body{"creator": "bob", "fast_approval": true, "fields": []body{{"key": "title", "value": title}, {"key": "APPROVER", "value": "ann,chen"},
			{"key": "APPROVAL_CONTENT", "value": "From the release plan."}}, "meta": body{"callback_url": s.Receiver + callback}}), &created)
		s.tickets++
		return created.SN
	}
	vote := func(number, who, result, remark string) {
		s.itsm("operate_node", body{"sn": number, "state_id": 21, "operator": who, "action_type": "TRANSITION",
			"fields": []body{{"key": "approve_result_21", "value": result}, {"key": "approve_remark_21", "value": remark}, {"key": "reject_remark_21", "value": remark}}})
	}
	open("Release 2026.12 of the shop", "/demo/releases")
	open("A new rule of the firewall", "/demo/releases")
	vote(open("Release 2026.11 of the shop", "/demo/releases"), "chen", "true", "Tested")
	vote(open("Delete the archive of 2019", "/demo/releases"), "ann", "false", "Legal wants to keep it")
	vote(open("Release of the old ledger", "/demo/releases/broken"), "chen", "true", "Go")
}

func (s *script) events() {
	for _, host := range []string{"shop", "api", "mail"} {
		s.ask(http.MethodPost, "/api/publish", body{"event_source": "certificates", "event_topic": "tls", "event_type": "renewed", "event_status": "1", "event_key": "tls." + host,
			"changes": []string{host + ".example.com"}})
	}
}
