"""Looks at what CloudFormation gets: the template after SAM has transformed it.

sam validate and cfn-lint look at the template before. Three things only show afterwards: a
circle of references through what SAM adds, whether everything that calls a function calls its
alias, and whether the role of infra/github.yaml may make all roles. Prints each fault and
ends with 1.
"""

import json
import logging
import os
import re
import sys

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")
logging.disable(logging.CRITICAL)

from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

# Called by CodeDeploy alone, as it is.
NO_ALIAS = {"TrialFunction"}


class NoManagedPolicies:
    def load(self):
        return {}


def transformed(text):
    template = yaml_parse(text)
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
    return transform(template, {}, NoManagedPolicies())


def references(value):
    """Names that value refers to, which has to be made after them."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    if not isinstance(value, dict):
        return
    for key, member in value.items():
        if key == "Ref":
            yield member
        elif key == "Fn::GetAtt":
            yield (member if isinstance(member, list) else member.split("."))[0]
        elif key == "Fn::Sub":
            text, names = (member, {}) if isinstance(member, str) else member
            yield from (m.split(".")[0] for m in re.findall(r"\$\{([^!}][^}]*)\}", text) if m not in names)
            yield from references(names)
        elif key == "DependsOn":
            yield from [member] if isinstance(member, str) else member
        else:
            yield from references(member)


def circles(resources):
    edges = {name: sorted({r for r in references(body) if r in resources}) for name, body in resources.items()}
    done, path, found = set(), [], []

    def visit(name):
        if name in path:
            found.append(path[path.index(name):] + [name])
            return
        if name in done:
            return
        path.append(name)
        for other in edges[name]:
            visit(other)
        path.pop()
        done.add(name)

    for name in edges:
        visit(name)
    return found


def faults(text):
    resources = transformed(text)["Resources"]
    for circle in circles(resources):
        yield "a circle: " + " -> ".join(circle)

    of_type = lambda kind: {n: r for n, r in resources.items() if r["Type"] == kind}
    aliases = of_type("AWS::Lambda::Alias")
    for name, permission in of_type("AWS::Lambda::Permission").items():
        if permission["Properties"]["FunctionName"].get("Ref") not in aliases:
            yield f"{name}: not for an alias"
    for name, mapping in of_type("AWS::Lambda::EventSourceMapping").items():
        if mapping["Properties"]["FunctionName"].get("Ref") not in aliases:
            yield f"{name}: not of an alias"
    for name, api in of_type("AWS::ApiGatewayV2::Api").items():
        body = json.dumps(api["Properties"]["Body"])
        integrations = body.count('"aws_proxy"') + body.count('"authorizerUri"')
        called = [r for r in references(api["Properties"]["Body"]) if r in aliases]
        if integrations == 0 or len(called) != integrations:
            yield f"{name}: {len(called)} of {integrations} integrations and authorizers are aliases"
    for name in of_type("AWS::Lambda::Function"):
        policy = aliases.get(name + "Aliaslive", {}).get("UpdatePolicy")
        if name not in NO_ALIAS and not policy:
            yield f"{name}: no deployment moves its alias"


    with open("infra/github.yaml") as file:
        role = yaml_parse(file.read())["Resources"]["CloudFormationRole"]
    may = json.dumps(role["Properties"]["Policies"])
    for name, role in of_type("AWS::IAM::Role").items():
        services = [s["Principal"]["Service"] for s in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]]
        for wanted in services + role["Properties"].get("ManagedPolicyArns", []):
            if json.dumps(wanted) not in may:
                yield f"{name}: infra/github.yaml does not allow {json.dumps(wanted)}"


def main():
    with open("template.yaml") as file:
        text = file.read()
    found = list(faults(text))
    # A check that finds nothing in a broken template is none.
    for old, new, want in [
        ("!Ref AuthorizerFunction.Alias\n      Principal", "!Ref AuthorizerFunction\n      Principal", "AuthorizerPermission"),
        ("FunctionArn: !Ref AuthorizerFunction.Alias", "FunctionArn: !GetAtt AuthorizerFunction.Arn", "Api:"),
        ("[!Ref TokenFaults,", "[!Ref ApiFaults,", "a circle"),
        ("      DeploymentPreference:\n        Hooks:", "      DeploymentPreference:\n        Enabled: false\n        Hooks:", "TokenFunction: no deployment"),
        ("AWSCodeDeployRoleForLambdaLimited", "AWSCodeDeployRoleForLambda", "DeploymentRole: infra/github.yaml"),
        ("Service: lambda.amazonaws.com", "Service: scheduler.amazonaws.com", "TokenRole: infra/github.yaml"),
    ]:
        if old not in text or not any(want in fault for fault in faults(text.replace(old, new))):
            found.append(f"this check does not see {old!r} become {new!r}")
    for fault in found:
        print("template.yaml:", fault)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
