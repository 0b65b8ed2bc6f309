"""Reads docs/examples/terraform, and holds it to template.yaml.

Terraform itself would fetch its provider. This parses the file as Terraform does, and
compares the names in it. Prints each fault and ends with 1.
"""

import re
import sys

import hcl2

PATH = "docs/examples/terraform/main.tf"


def section(template, name):
    body = re.search(rf"^{name}:\n((?:[ #].*\n|\n)*)", template, re.M).group(1)
    return set(re.findall(r"^  ([A-Za-z0-9]+):", body, re.M))


def faults(text, template):
    read = hcl2.loads(text)
    stacks = [s["aws_cloudformation_stack"]["fob"] for s in read.get("resource", []) if "aws_cloudformation_stack" in s]
    if len(stacks) != 1:
        yield f"{len(stacks)} stacks"
        return
    # hcl2 has each value in a list, or not, by its version.
    parameters, capabilities = stacks[0]["parameters"], stacks[0]["capabilities"]
    while isinstance(parameters, list):
        parameters = parameters[0]
    while isinstance(capabilities[0], list):
        capabilities = capabilities[0]
    for name in set(parameters) - section(template, "Parameters"):
        yield f"template.yaml has no parameter {name}"
    for needed in ("CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"):
        if needed not in capabilities:
            yield f"{needed} is missing"
    outputs = re.findall(r'outputs\["([A-Za-z0-9]+)"\]', text)
    if not parameters or not outputs:
        yield "it sets or uses nothing"
    for name in set(outputs) - section(template, "Outputs"):
        yield f"template.yaml has no output {name}"


def main():
    text, template = open(PATH).read(), open("template.yaml").read()
    # Each has to be found, or the check is no check.
    for word in ("DeploymentPreference ", "CAPABILITY_AUTO_EXPAND", '"TokenEndpoint"'):
        broken = text.replace(word, word.lower())
        if broken == text or not list(faults(broken, template)):
            sys.exit(f"{PATH}: a changed {word.strip()} is not found")
    found = list(faults(text, template))
    for fault in found:
        print(f"{PATH}: {fault}")
    sys.exit(1 if found else 0)


main()
