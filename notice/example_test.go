package notice_test

import (
	"fmt"
	"net/http"
	"time"

	"signalbox/docs/verify"
	"signalbox/notice"
)

// Every delivery is signed by Standard Webhooks; a receiver believes what its secret signed a moment ago, and nothing else.
func ExampleSign() {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	sentAt := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	body := []byte(`{"id":"IM202603020900000000000007","type":"status","details":{"from":"OPEN","to":"CLOSED"}}`)
	headers, err := notice.Sign(secret, "msg_1", sentAt, body)
	if err != nil {
		fmt.Println(err)
		return
	}
	received := http.Header{}
	for name, value := range headers {
		received.Set(name, value)
	}
	fmt.Println(received.Get("webhook-id"), received.Get("webhook-timestamp"))
	fmt.Println("as it came:", verify.Verify(secret, received, body, sentAt.Add(time.Second)))
	fmt.Println("changed on the way:", verify.Verify(secret, received, append(body, ' '), sentAt.Add(time.Second)))
	fmt.Println("played back later:", verify.Verify(secret, received, body, sentAt.Add(time.Hour)))
	// Output:
	// msg_1 1772442000
	// as it came: <nil>
	// changed on the way: the signature does not fit
	// played back later: the signature does not fit
}
