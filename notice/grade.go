package notice

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Success is the rule by which an answer counts as success.
type Success string

const (
	SuccessOK      Success = "200"     // HTTP 200 exactly (seed 000)
	SuccessAny2xx  Success = "2xx"     // Standard Webhooks
	SuccessITSM    Success = "itsm"    // HTTP 200 or 201, and JSON with the number 0 as code (seed 002)
	SuccessPublish Success = "publish" // HTTP 200, and JSON with the string "000" as code (seed 003)
	SuccessErrCode Success = "errcode" // HTTP 200, and JSON with the number 0 as errcode (WeCom, DingTalk)
	SuccessFeishu  Success = "feishu"  // HTTP 200, and JSON with the number 0 as code
	SuccessMail    Success = "mail"    // SMTP 250, after all of the mail was sent (RFC 5321, section 4.2)
)

// Grade completes an attempt that got an answer by the profile's rule: Succeeded, or Class and Error. An attempt that failed before there was
// an answer stays as it is.
func (p Profile) Grade(a Attempt) Attempt {
	if a.Status == 0 {
		return a
	}
	a.Succeeded = false
	if p.Success == SuccessMail {
		a.Succeeded = a.Status == mailTaken && a.Class == ErrorNone
		return a
	}
	if !p.Success.counts(a.Status) {
		a.Class, a.Error = ErrorStatus, fmt.Sprintf("the receiver answered %d %s", a.Status, http.StatusText(a.Status))
		return a
	}
	member, want, is := p.Success.code()
	if is == nil {
		a.Succeeded, a.Class, a.Error = true, ErrorNone, ""
		return a
	}
	var answer map[string]json.RawMessage // a struct would take "Code" for it as well
	switch err := json.Unmarshal(bytes.TrimPrefix(a.Answer, []byte("\ufeff")), &answer); {
	case a.Class != ErrorNone: // the answer broke off, and what it said is not known
	case err != nil:
		a.Class, a.Error = ErrorBadBody, fmt.Sprintf("the receiver's answer is not a JSON object of at most %d bytes", MaxAnswer)
	case !is(answer[member]):
		a.Class, a.Error = ErrorBadBody, fmt.Sprintf("the receiver's answer does not have %s as its %s", want, member)
	default:
		a.Succeeded, a.Error = true, ""
	}
	return a
}

// mailTaken is the reply of a server that has taken a mail over.
const mailTaken = 250

// counts reports whether the rule takes this HTTP status for success.
func (s Success) counts(status int) bool {
	switch s {
	case SuccessITSM:
		return status == http.StatusOK || status == http.StatusCreated
	case SuccessAny2xx:
		return status >= 200 && status <= 299
	}
	return status == http.StatusOK
}

// code tells which member the answer has to have, and what it has to be: as JSON for a person, and as a test of it; nil where the rule does not look at it.
func (s Success) code() (member, text string, is func(json.RawMessage) bool) {
	switch s {
	case SuccessITSM, SuccessFeishu:
		return "code", "0", isZero
	case SuccessErrCode:
		return "errcode", "0", isZero
	case SuccessPublish:
		return "code", `"000"`, func(code json.RawMessage) bool {
			var text string
			return json.Unmarshal(code, &text) == nil && text == "000"
		}
	}
	return "", "", nil
}

// isZero reports whether JSON is the number 0, however it is written: 0, -0, 0.0 and 0e3 are the same number (RFC 8259, section 6).
func isZero(text json.RawMessage) bool {
	number := strings.TrimPrefix(string(text), "-")
	if number == "" || number[0] != '0' {
		return false
	}
	digits, _, _ := strings.Cut(strings.ToLower(number), "e")
	return !strings.ContainsAny(digits, "123456789")
}
