// SPDX-License-Identifier: Apache-2.0
#include "iam/known_names.h"

#include <algorithm>
#include <fmt/format.h>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "domain/nearest.h"
#include "iam/pattern.h"

namespace portolan::iam {
namespace {

// clang-format off
constexpr std::string_view bedrock_actions[] = {
    "ApplyGuardrail", "AssociateAgentCollaborator", "AssociateAgentKnowledgeBase",
    "AssociateThirdPartyKnowledgeBase", "BatchDeleteAdvancedPromptOptimizationJob", "BatchDeleteEvaluationJob",
    "CallWithBearerToken", "CancelAutomatedReasoningPolicyBuildWorkflow", "CountTokens",
    "CreateAdvancedPromptOptimizationJob", "CreateAgent", "CreateAgentActionGroup", "CreateAgentAlias",
    "CreateAutomatedReasoningPolicy", "CreateAutomatedReasoningPolicyTestCase",
    "CreateAutomatedReasoningPolicyVersion", "CreateBlueprint", "CreateBlueprintVersion", "CreateCustomModel",
    "CreateCustomModelDeployment", "CreateDataAutomationProject", "CreateDataSource", "CreateEvaluationJob",
    "CreateFlow", "CreateFlowAlias", "CreateFlowVersion", "CreateFoundationModelAgreement", "CreateGuardrail",
    "CreateGuardrailVersion", "CreateInferenceProfile", "CreateInvocation", "CreateKnowledgeBase",
    "CreateMarketplaceModelEndpoint", "CreateModelCopyJob", "CreateModelCustomizationJob",
    "CreateModelEvaluationJob", "CreateModelImportJob", "CreateModelInvocationJob", "CreatePrompt",
    "CreatePromptRouter", "CreatePromptVersion", "CreateProvisionedModelThroughput", "CreateSession",
    "DeleteAgent", "DeleteAgentActionGroup", "DeleteAgentAlias", "DeleteAgentMemory", "DeleteAgentVersion",
    "DeleteAutomatedReasoningPolicy", "DeleteAutomatedReasoningPolicyBuildWorkflow",
    "DeleteAutomatedReasoningPolicyTestCase", "DeleteBlueprint", "DeleteCustomModel",
    "DeleteCustomModelDeployment", "DeleteDataAutomationProject", "DeleteDataSource",
    "DeleteEnforcedGuardrailConfiguration", "DeleteFlow", "DeleteFlowAlias", "DeleteFlowVersion",
    "DeleteFoundationModelAgreement", "DeleteGuardrail", "DeleteImportedModel", "DeleteInferenceProfile",
    "DeleteKnowledgeBase", "DeleteKnowledgeBaseDocuments", "DeleteMarketplaceModelEndpoint",
    "DeleteModelInvocationLoggingConfiguration", "DeletePrompt", "DeletePromptRouter",
    "DeleteProvisionedModelThroughput", "DeleteResourcePolicy", "DeleteSession",
    "DeregisterMarketplaceModelEndpoint", "DetectGeneratedContent", "DisassociateAgentCollaborator",
    "DisassociateAgentKnowledgeBase", "EndSession", "ExportAutomatedReasoningPolicyVersion", "GenerateQuery",
    "GetAccountDataRetention", "GetAdvancedPromptOptimizationJob", "GetAgent", "GetAgentActionGroup",
    "GetAgentAlias", "GetAgentCollaborator", "GetAgentKnowledgeBase", "GetAgentMemory", "GetAgentVersion",
    "GetAsyncInvoke", "GetAutomatedReasoningPolicy", "GetAutomatedReasoningPolicyAnnotations",
    "GetAutomatedReasoningPolicyBuildWorkflow", "GetAutomatedReasoningPolicyBuildWorkflowResultAssets",
    "GetAutomatedReasoningPolicyNextScenario", "GetAutomatedReasoningPolicyTestCase",
    "GetAutomatedReasoningPolicyTestResult", "GetBlueprint", "GetCustomModel", "GetCustomModelDeployment",
    "GetDataAutomationProject", "GetDataAutomationStatus", "GetDataSource", "GetEvaluationJob",
    "GetExecutionFlowSnapshot", "GetFlow", "GetFlowAlias", "GetFlowExecution", "GetFlowVersion",
    "GetFoundationModel", "GetFoundationModelAvailability", "GetGuardrail", "GetImportedModel",
    "GetInferenceProfile", "GetIngestionJob", "GetInvocationStep", "GetKnowledgeBase",
    "GetKnowledgeBaseDocuments", "GetMarketplaceModelEndpoint", "GetModelCopyJob", "GetModelCustomizationJob",
    "GetModelEvaluationJob", "GetModelImportJob", "GetModelInvocationJob",
    "GetModelInvocationLoggingConfiguration", "GetPrompt", "GetPromptRouter", "GetProvisionedModelThroughput",
    "GetResourcePolicy", "GetSession", "GetUseCaseForModelAccess", "IngestKnowledgeBaseDocuments", "InvokeAgent",
    "InvokeBuilder", "InvokeDataAutomation", "InvokeDataAutomationAsync", "InvokeFlow", "InvokeGuardrailChecks",
    "InvokeInlineAgent", "InvokeModel", "InvokeModelWithBidirectionalStream", "InvokeModelWithResponseStream",
    "InvokeTool", "ListAdvancedPromptOptimizationJobs", "ListAgentActionGroups", "ListAgentAliases",
    "ListAgentCollaborators", "ListAgentKnowledgeBases", "ListAgentVersions", "ListAgents", "ListAsyncInvokes",
    "ListAutomatedReasoningPolicies", "ListAutomatedReasoningPolicyBuildWorkflows",
    "ListAutomatedReasoningPolicyTestCases", "ListAutomatedReasoningPolicyTestResults", "ListBlueprints",
    "ListCustomModelDeployments", "ListCustomModels", "ListDataAutomationProjects", "ListDataSources",
    "ListEnforcedGuardrailsConfiguration", "ListEvaluationJobs", "ListFlowAliases", "ListFlowExecutionEvents",
    "ListFlowExecutions", "ListFlowVersions", "ListFlows", "ListFoundationModelAgreementOffers",
    "ListFoundationModels", "ListGuardrails", "ListImportedModels", "ListInferenceProfiles", "ListIngestionJobs",
    "ListInvocationSteps", "ListInvocations", "ListKnowledgeBaseDocuments", "ListKnowledgeBases",
    "ListMarketplaceModelEndpoints", "ListModelCopyJobs", "ListModelCustomizationJobs", "ListModelEvaluationJobs",
    "ListModelImportJobs", "ListModelInvocationJobs", "ListPromptRouters", "ListPrompts",
    "ListProvisionedModelThroughputs", "ListSessions", "ListTagsForResource", "OptimizePrompt", "PrepareAgent",
    "PrepareFlow", "PutAccountDataRetention", "PutEnforcedGuardrailConfiguration",
    "PutFoundationModelEntitlement", "PutInvocationStep", "PutModelInvocationLoggingConfiguration",
    "PutResourcePolicy", "PutUseCaseForModelAccess", "RegisterMarketplaceModelEndpoint", "RenderPrompt", "Rerank",
    "Retrieve", "RetrieveAndGenerate", "StartAsyncInvoke", "StartAutomatedReasoningPolicyBuildWorkflow",
    "StartAutomatedReasoningPolicyTestWorkflow", "StartFlowExecution", "StartIngestionJob",
    "StopAdvancedPromptOptimizationJob", "StopEvaluationJob", "StopFlowExecution", "StopIngestionJob",
    "StopModelCustomizationJob", "StopModelInvocationJob", "TagResource", "UntagResource", "UpdateAgent",
    "UpdateAgentActionGroup", "UpdateAgentAlias", "UpdateAgentCollaborator", "UpdateAgentKnowledgeBase",
    "UpdateAutomatedReasoningPolicy", "UpdateAutomatedReasoningPolicyAnnotations",
    "UpdateAutomatedReasoningPolicyTestCase", "UpdateBlueprint", "UpdateCustomModelDeployment",
    "UpdateDataAutomationProject", "UpdateDataSource", "UpdateFlow", "UpdateFlowAlias", "UpdateGuardrail",
    "UpdateKnowledgeBase", "UpdateMarketplaceModelEndpoint", "UpdatePrompt", "UpdateProvisionedModelThroughput",
    "UpdateSession", "ValidateFlowDefinition",
};

// Names that end in a slash go on with the key of a tag.
constexpr std::string_view condition_keys[] = {
    "aws:AssumedRoot", "aws:CalledVia", "aws:CalledViaAWSMCP", "aws:CalledViaFirst", "aws:CalledViaLast",
    "aws:ChatbotSourceArn", "aws:CurrentTime", "aws:Ec2InstanceSourcePrivateIPv4", "aws:Ec2InstanceSourceVpc",
    "aws:EpochTime", "aws:FederatedProvider", "aws:IsMcpServiceAction", "aws:MultiFactorAuthAge",
    "aws:MultiFactorAuthPresent", "aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalIsAWSService",
    "aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:PrincipalServiceName", "aws:PrincipalServiceNamesList",
    "aws:PrincipalTag/", "aws:PrincipalType", "aws:Referer", "aws:RequestedRegion", "aws:RequestTag/",
    "aws:ResourceAccount", "aws:ResourceOrgID", "aws:ResourceOrgPaths", "aws:ResourceTag/", "aws:SecureTransport",
    "aws:SignInSessionArn", "aws:SourceAccount", "aws:SourceArn", "aws:SourceIdentity", "aws:SourceIp",
    "aws:SourceOrgID", "aws:SourceOrgPaths", "aws:SourceVpc", "aws:SourceVpcArn", "aws:SourceVpce", "aws:TagKeys",
    "aws:TokenIssueTime", "aws:UserAgent", "aws:userid", "aws:username", "aws:ViaAWSMCPService",
    "aws:ViaAWSService", "aws:VpceAccount", "aws:VpceOrgID", "aws:VpceOrgPaths", "aws:VpcSourceIp",
    "bedrock:BearerTokenType", "bedrock:DataRetentionMode", "bedrock:GuardrailIdentifier",
    "bedrock:InferenceProfileArn", "bedrock:InlineAgentName", "bedrock:PromptRouterArn", "bedrock:ServiceTier",
    "bedrock:ThirdPartyKnowledgeBaseCredentialsSecretArn",
};

constexpr std::string_view services[] = {
    "a2c", "a4b", "access-analyzer", "account", "acm", "acm-pca", "action-recommendations", "activate", "airflow",
    "airflow-serverless", "amplify", "amplifybackend", "amplifyuibuilder", "aoss", "apigateway",
    "app-integrations", "appconfig", "appfabric", "appflow", "application-autoscaling",
    "application-cost-profiler", "application-signals", "application-transformation", "applicationinsights",
    "appmesh", "appmesh-preview", "apprunner", "appstream", "appstudio", "appsync", "apptest", "aps",
    "arc-region-switch", "arc-zonal-shift", "arsenal", "artifact", "athena", "auditmanager", "autoscaling",
    "autoscaling-plans", "aws-marketplace", "aws-marketplace-management", "aws-portal", "awsconnector", "b2bi",
    "backup", "backup-gateway", "backup-search", "backup-storage", "batch", "bcm-dashboards", "bcm-data-exports",
    "bcm-pricing-calculator", "bcm-recommended-actions", "bedrock", "bedrock-agentcore", "bedrock-mantle",
    "billing", "billingconductor", "braket", "budgets", "bugbust", "cases", "cassandra", "ce", "chatbot", "chime",
    "cleanrooms", "cleanrooms-ml", "cloud9", "clouddirectory", "cloudformation", "cloudfront",
    "cloudfront-keyvaluestore", "cloudhsm", "cloudsearch", "cloudshell", "cloudtrail", "cloudtrail-data",
    "cloudwatch", "codeartifact", "codebuild", "codecatalyst", "codecommit", "codeconnections", "codedeploy",
    "codedeploy-commands-secure", "codeguru", "codeguru-profiler", "codeguru-reviewer", "codeguru-security",
    "codepipeline", "codestar", "codestar-connections", "codestar-notifications", "codewhisperer",
    "cognito-identity", "cognito-idp", "cognito-sync", "comprehend", "comprehendmedical", "compute-optimizer",
    "config", "connect", "connect-campaigns", "consoleapp", "consolidatedbilling", "controlcatalog",
    "controltower", "cost-optimization-hub", "cur", "customer-verification", "databrew", "dataexchange",
    "datapipeline", "datasync", "datazone", "dax", "dbqms", "deadline", "deepcomposer", "deeplens", "deepracer",
    "detective", "devicefarm", "devops-guru", "directconnect", "discovery", "dlm", "dms", "docdb-elastic", "drs",
    "ds", "ds-data", "dsql", "dynamodb", "ebs", "ec2", "ec2-instance-connect", "ec2messages", "ecr", "ecr-public",
    "ecs", "eks", "eks-auth", "eks-mcp", "elastic-inference", "elasticache", "elasticbeanstalk",
    "elasticfilesystem", "elasticloadbalancing", "elasticmapreduce", "elastictranscoder", "elemental-activations",
    "elemental-appliances-software", "elemental-support-cases", "elemental-support-content", "emr-containers",
    "emr-serverless", "entityresolution", "es", "events", "evidently", "evs", "execute-api", "finspace",
    "finspace-api", "firehose", "fis", "fms", "forecast", "frauddetector", "freertos", "freetier", "fsx",
    "gamelift", "gameliftstreams", "geo", "geo-maps", "geo-places", "geo-routes", "glacier", "globalaccelerator",
    "glue", "grafana", "greengrass", "groundstation", "groundtruthlabeling", "guardduty", "health", "healthlake",
    "honeycode", "iam", "identity-sync", "identitystore", "identitystore-auth", "imagebuilder", "importexport",
    "inspector", "inspector-scan", "inspector2", "internetmonitor", "invoicing", "iot", "iot-device-tester",
    "iot1click", "iotanalytics", "iotdeviceadvisor", "iotevents", "iotfleethub", "iotfleetwise", "iotjobsdata",
    "iotmanagedintegrations", "iotsitewise", "iottwinmaker", "iotwireless", "iq", "iq-permission", "ivs",
    "ivschat", "kafka", "kafka-cluster", "kafkaconnect", "kendra", "kendra-ranking", "kinesis",
    "kinesisanalytics", "kinesisvideo", "kms", "lakeformation", "lambda", "launchwizard", "lex",
    "license-manager", "license-manager-linux-subscriptions", "license-manager-user-subscriptions", "lightsail",
    "logs", "lookoutequipment", "lookoutmetrics", "lookoutvision", "m2", "machinelearning", "macie2",
    "managedblockchain", "managedblockchain-query", "mapcredits", "marketplacecommerceanalytics",
    "mechanicalturk", "mediaconnect", "mediaconvert", "mediaimport", "medialive", "mediapackage",
    "mediapackage-vod", "mediapackagev2", "mediastore", "mediatailor", "medical-imaging", "memorydb", "mgh",
    "mgn", "migrationhub-orchestrator", "migrationhub-strategy", "mobileanalytics", "mobilehub",
    "mobiletargeting", "monitron", "mpa", "mq", "neptune-db", "neptune-graph", "network-firewall",
    "network-security-director", "networkflowmonitor", "networkmanager", "networkmanager-chat", "networkmonitor",
    "nimble", "notifications", "notifications-contacts", "nova-act", "oam", "observabilityadmin", "odb", "omics",
    "one", "opensearch", "opsworks", "opsworks-cm", "organizations", "osis", "outposts", "panorama",
    "partnercentral", "partnercentral-account-management", "payment-cryptography", "payments", "pca-connector-ad",
    "pca-connector-scep", "pcs", "personalize", "pi", "pipes", "polly", "pricing", "pricingplanmanager",
    "private-networks", "profile", "proton", "purchase-orders", "q", "qapps", "qbusiness", "qdeveloper", "qldb",
    "quicksight", "ram", "rbin", "rds", "rds-data", "rds-db", "redshift", "redshift-data", "redshift-serverless",
    "refactor-spaces", "rekognition", "repostspace", "resiliencehub", "resource-explorer", "resource-explorer-2",
    "resource-groups", "rhelkb", "robomaker", "rolesanywhere", "route53", "route53-recovery-cluster",
    "route53-recovery-control-config", "route53-recovery-readiness", "route53domains", "route53globalresolver",
    "route53profiles", "route53resolver", "rtbfabric", "rum", "s3", "s3-object-lambda", "s3-outposts",
    "s3express", "s3tables", "s3vectors", "sagemaker", "sagemaker-data-science-assistant", "sagemaker-geospatial",
    "sagemaker-mlflow", "sagemaker-unified-studio-mcp", "savingsplans", "scheduler", "schemas", "scn", "sdb",
    "secretsmanager", "security-ir", "securityhub", "securitylake", "serverlessrepo", "servicecatalog",
    "servicediscovery", "serviceextract", "servicequotas", "ses", "shield", "signer", "signin", "simspaceweaver",
    "sms", "sms-voice", "snow-device-management", "snowball", "sns", "social-messaging", "sqlworkbench", "sqs",
    "ssm", "ssm-contacts", "ssm-guiconnect", "ssm-incidents", "ssm-quicksetup", "ssm-sap", "ssmmessages", "sso",
    "sso-directory", "sso-oauth", "states", "storagegateway", "sts", "support", "support-console", "supportapp",
    "supportplans", "supportrecommendations", "sustainability", "swf", "synthetics", "tag", "tax", "textract",
    "thinclient", "timestream", "timestream-influxdb", "tiros", "tnb", "transcribe", "transfer", "transform",
    "transform-custom", "translate", "trustedadvisor", "ts", "user-subscriptions", "uxc", "vendor-insights",
    "verified-access", "verifiedpermissions", "voiceid", "vpc-lattice", "vpc-lattice-svcs", "vpce", "waf",
    "waf-regional", "wafv2", "wam", "wellarchitected", "wickr", "wisdom", "workdocs", "worklink", "workmail",
    "workmailmessageflow", "workspaces", "workspaces-instances", "workspaces-web", "xray",
};
// clang-format on

bool is_listed(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::any_of(names, [&](std::string_view known) { return base::iequals(known, name); });
}

std::string nearest(std::span<const std::string_view> names, std::string_view name) {
  return domain::did_you_mean(domain::nearest_name(name, {names.begin(), names.end()}));
}

bool has_wildcard(std::string_view text) {
  return text.find_first_of("*?") != std::string_view::npos;
}

/// The keys that identity providers bring have their host as prefix, or are these (IAM User Guide, "IAM and AWS STS
/// condition context keys").
bool is_identity_provider(std::string_view prefix) {
  constexpr std::string_view saml[] = {"saml", "sts"};
  return prefix.contains('.') || prefix.contains('/') || is_listed(saml, prefix);
}

}  // namespace

std::string doubt_about_action(std::string_view written) {
  const std::size_t colon = written.find(':');
  if (colon == std::string_view::npos) return {};  // "*"
  const std::string_view service = written.substr(0, colon);
  const std::string_view action = written.substr(colon + 1);
  if (has_wildcard(service)) return {};
  if (!is_listed(services, service))
    return fmt::format("'{}' is no AWS service that is known here{}", service, nearest(services, service));
  if (!base::iequals(service, "bedrock")) return {};
  if (has_wildcard(action)) {
    const bool matches_one = std::ranges::any_of(
        bedrock_actions, [&](std::string_view known) { return like_ignoring_case(action, known); });
    return matches_one ? std::string{} : fmt::format("'{}' matches no action of Amazon Bedrock", written);
  }
  if (is_listed(bedrock_actions, action)) return {};
  if (base::iequals(action, "Converse"))
    return fmt::format("'{}' is no action: Converse is authorised as bedrock:InvokeModel", written);
  if (base::iequals(action, "ConverseStream"))
    return fmt::format("'{}' is no action: ConverseStream is authorised as bedrock:InvokeModelWithResponseStream",
                       written);
  return fmt::format("'{}' is no action of Amazon Bedrock{}", written, nearest(bedrock_actions, action));
}

std::string doubt_about_condition_key(std::string_view written) {
  const std::string_view prefix = written.substr(0, written.find(':'));
  if (!base::iequals(prefix, "aws") && !base::iequals(prefix, "bedrock")) {
    if (is_listed(services, prefix) || is_identity_provider(prefix)) return {};
    return fmt::format("'{}' begins with no service that is known here{}", written, nearest(services, prefix));
  }
  const std::size_t slash = written.find('/');
  const bool has_tag = slash != std::string_view::npos && slash + 1 < written.size();
  const std::string_view stem = slash == std::string_view::npos ? written : written.substr(0, slash + 1);
  if (is_listed(condition_keys, stem) && stem.ends_with('/') == has_tag) return {};
  if (is_listed(condition_keys, stem) || is_listed(condition_keys, std::string(stem) + '/'))
    return fmt::format("'{}' lacks the key of the tag, as in aws:ResourceTag/team", written);
  return fmt::format("'{}' is no condition key{}", written, nearest(condition_keys, written));
}

}  // namespace portolan::iam
