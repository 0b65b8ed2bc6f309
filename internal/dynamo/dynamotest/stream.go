package dynamotest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/fob-oauth/fob/internal/dynamo"
)

// Follow turns on the stream of the tokens table. The function that it returns reads all records
// so far. The answers of DynamoDB are read as Lambda hands them over, which is the same JSON.
func (f *Fixture) Follow(t testing.TB) func() []dynamo.StreamRecord {
	t.Helper()
	out, err := f.DB.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
		TableName:           &f.Tables.Tokens,
		StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	})
	if err != nil {
		t.Fatalf("turn on the stream: %v", err)
	}
	stream := map[string]any{"StreamArn": aws.ToString(out.TableDescription.LatestStreamArn)}
	return func() []dynamo.StreamRecord {
		t.Helper()
		return f.records(t, stream)
	}
}

func (f *Fixture) records(t testing.TB, stream map[string]any) (all []dynamo.StreamRecord) {
	t.Helper()
	var described struct {
		StreamDescription struct{ Shards []struct{ ShardId string } } //nolint:revive // as DynamoDB has it
	}
	f.ask(t, "DescribeStream", stream, &described)
	for _, shard := range described.StreamDescription.Shards {
		var at struct{ ShardIterator string }
		f.ask(t, "GetShardIterator", map[string]any{"StreamArn": stream["StreamArn"], "ShardId": shard.ShardId, "ShardIteratorType": "TRIM_HORIZON"}, &at)
		for {
			var page struct {
				Records           []dynamo.StreamRecord
				NextShardIterator string
			}
			f.ask(t, "GetRecords", map[string]any{"ShardIterator": at.ShardIterator}, &page)
			all = append(all, page.Records...)
			if at.ShardIterator = page.NextShardIterator; len(page.Records) == 0 || at.ShardIterator == "" {
				break
			}
		}
	}
	return all
}

func (f *Fixture) ask(t testing.TB, operation string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	o := f.DB.Options()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, aws.ToString(o.BaseEndpoint), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Date", "20260101T000000Z")
	r.Header.Set("X-Amz-Target", "DynamoDBStreams_20120810."+operation)
	// The engines look for the access key and the region alone.
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=fixture/20260101/"+o.Region+"/dynamodb/aws4_request, SignedHeaders=host, Signature=none")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s, %v", operation, response.StatusCode, text, err)
	}
	if err := json.Unmarshal(text, out); err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
}
