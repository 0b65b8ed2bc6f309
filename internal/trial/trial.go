// Package trial tries a new version of fob's functions before it gets traffic, as the
// pre-traffic hook of a deployment by AWS CodeDeploy.
//
// [Handle] reports one of two words. It says Succeeded only after every step of the trial
// passed and everything was cleaned up. If it cannot report, CodeDeploy hears nothing for
// an hour and takes that for a failure.
package trial

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"github.com/fob-oauth/fob/internal/smoke"
	"github.com/fob-oauth/fob/internal/wire"
)

// Event is what CodeDeploy hands to a hook.
type Event struct {
	DeploymentID string `json:"DeploymentId"`
	ExecutionID  string `json:"LifecycleEventHookExecutionId"`
}

// Deployments is where the result is reported: a *codedeploy.Client.
type Deployments interface {
	PutLifecycleEventHookExecutionStatus(context.Context, *codedeploy.PutLifecycleEventHookExecutionStatusInput, ...func(*codedeploy.Options)) (*codedeploy.PutLifecycleEventHookExecutionStatusOutput, error)
}

// reserve is the time before the function's deadline that is left for cleaning up and for
// the report.
const reserve = 20 * time.Second

// Handle tries the deployment of the event, logs one line about it and reports the result.
// An error is for a report that did not arrive.
func Handle(ctx context.Context, event Event, to Deployments, o wire.Options, try func(context.Context) (smoke.View, error)) error {
	began := time.Now()
	view, err := tried(ctx, try)
	status := types.LifecycleEventStatusFailed
	if err == nil && view.Passed && view.CleanedUp {
		status = types.LifecycleEventStatusSucceeded
	}
	attrs := []slog.Attr{
		slog.String("function", o.Function), slog.String("deployment", event.DeploymentID),
		slog.String("result", string(status)), slog.Int("steps", len(view.Steps)),
		slog.Float64("duration_ms", float64(time.Since(began).Microseconds())/1000),
	}
	if why := errors.Join(faultOf(view), err); why != nil {
		attrs = append(attrs, slog.String("error", why.Error()))
	}
	level := slog.LevelInfo
	if status == types.LifecycleEventStatusFailed {
		level = slog.LevelError
	}
	o.Log.LogAttrs(ctx, level, "trial", attrs...)

	_, err = to.PutLifecycleEventHookExecutionStatus(ctx, &codedeploy.PutLifecycleEventHookExecutionStatusInput{
		DeploymentId: aws.String(event.DeploymentID), LifecycleEventHookExecutionId: aws.String(event.ExecutionID), Status: status,
	})
	if err != nil {
		return fmt.Errorf("report the trial of %s: %w", event.DeploymentID, err)
	}
	return nil
}

func faultOf(view smoke.View) error {
	if fault := view.Fault(); fault != "" {
		return errors.New(fault)
	}
	return nil
}

// tried is what try finds, or its panic as an error.
func tried(ctx context.Context, try func(context.Context) (smoke.View, error)) (view smoke.View, err error) {
	defer func() {
		if v := recover(); v != nil {
			view, err = smoke.View{}, wire.PanicError(v)
		}
	}()
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-reserve))
		defer cancel()
	}
	return try(ctx)
}
