// fob as a nested stack of a CDK app. docs/deploying.md says what to run.
import { App, CfnOutput, CfnStack, Fn, Stack } from 'aws-cdk-lib';

const app = new App();
const stack = new Stack(app, 'Auth');

const fob = new CfnStack(stack, 'Fob', {
  templateUrl: app.node.getContext('fobTemplate'), // where you uploaded packaged.yaml
  parameters: {
    DeletionProtection: 'true',
    DeploymentPreference: 'Canary10Percent10Minutes',
    // AlarmTopicArn: topic.topicArn,
  },
});

// What the rest of the app needs: the address for the apps, and the authorizer for its APIs.
new CfnOutput(stack, 'TokenEndpoint', { value: fob.getAtt('Outputs.TokenEndpoint').toString() });
new CfnOutput(stack, 'AuthorizerArn', { value: fob.getAtt('Outputs.AuthorizerArn').toString() });
// FOB_STACK for the operator's commands.
new CfnOutput(stack, 'FobStack', { value: Fn.select(1, Fn.split('/', fob.ref)) });
