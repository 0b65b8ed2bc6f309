# fob as a CloudFormation stack of Terraform. docs/deploying.md says what to run.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "fob_template" {
  description = "Where you uploaded packaged.yaml: https://BUCKET.s3.REGION.amazonaws.com/KEY"
  type        = string
}

resource "aws_cloudformation_stack" "fob" {
  name         = "fob"
  template_url = var.fob_template
  # For the roles of the functions, and for SAM's transform.
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
  # Terraform must not remove the tables and the keys by oversight.
  lifecycle {
    prevent_destroy = true
  }
  parameters = {
    DeletionProtection   = "true"
    DeploymentPreference = "Canary10Percent10Minutes"
    # AlarmTopicArn      = aws_sns_topic.oncall.arn
  }
}

# What the rest needs: the address for the apps, and the authorizer for other APIs.
output "token_endpoint" {
  value = aws_cloudformation_stack.fob.outputs["TokenEndpoint"]
}

output "authorizer_arn" {
  value = aws_cloudformation_stack.fob.outputs["AuthorizerArn"]
}
