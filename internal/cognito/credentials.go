package cognito

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gatehouse-auth/gatehouse/internal/loopback"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

const (
	// ecsEndpoint is where Amazon ECS answers a relative address.
	ecsEndpoint = "http://169.254.170.2"
	// renewBefore is how long before their end credentials are renewed.
	renewBefore = 5 * time.Minute
)

// agents are the link-local addresses at which Amazon ECS and EKS give out
// credentials by plain http.
var agents = []netip.Addr{
	netip.MustParseAddr("169.254.170.2"), netip.MustParseAddr("169.254.170.23"), netip.MustParseAddr("fd00:ec2::23"),
}

// awsCredentials are those of the place this process runs in: of the environment
// (AWS_ACCESS_KEY_ID), by web identity (EKS: AWS_WEB_IDENTITY_TOKEN_FILE), of the
// container (ECS, EKS Pod Identity: AWS_CONTAINER_CREDENTIALS_*), or of the EC2
// instance; the first of them that is set up, as in the AWS SDKs. Profiles are
// not read. Nothing is asked before the first Retrieve, and what it found is
// renewed before it ends.
func awsCredentials(region string, calls *http.Client) (aws.CredentialsProvider, error) {
	var (
		source aws.CredentialsProvider
		err    error
	)
	switch {
	case os.Getenv("AWS_ACCESS_KEY_ID") != "" && os.Getenv("AWS_SECRET_ACCESS_KEY") != "":
		source = credentials.NewStaticCredentialsProvider(
			os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN"))
	case os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "":
		source, err = webIdentity(region, calls)
	case os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != "":
		source = container(ecsEndpoint+os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), oauth.NewHTTPClient(nil))
	case os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI") != "":
		source, err = containerAt(os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI"), calls)
	default:
		source = instance()
	}
	if err != nil {
		return nil, err
	}
	return aws.NewCredentialsCache(source, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = renewBefore }), nil
}

// webIdentity exchanges the token of a Kubernetes service account for the role's
// credentials. The file is read at each exchange, for it is renewed too.
func webIdentity(region string, calls *http.Client) (aws.CredentialsProvider, error) {
	role := os.Getenv("AWS_ROLE_ARN")
	if role == "" {
		return nil, errors.New("AWS_WEB_IDENTITY_TOKEN_FILE is set, AWS_ROLE_ARN is not")
	}
	o := sts.Options{Region: region, HTTPClient: calls, RetryMaxAttempts: attempts}
	if at := os.Getenv("AWS_ENDPOINT_URL_STS"); at != "" { // a VPC endpoint of its own name
		o.BaseEndpoint = aws.String(at)
	}
	return stscreds.NewWebIdentityRoleProvider(sts.New(o), role,
		stscreds.IdentityTokenFile(os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE")),
		func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = os.Getenv("AWS_ROLE_SESSION_NAME") }), nil
}

// containerAt is [container] at an address of the environment's, which may be
// plain http only where the agents of this machine are, and then without a proxy.
func containerAt(address string, calls *http.Client) (aws.CredentialsProvider, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !localAgent(u.Hostname())) {
		return nil, errors.New("AWS_CONTAINER_CREDENTIALS_FULL_URI takes https, or http on loopback or at the agent of ECS or EKS")
	}
	if u.Scheme == "http" {
		calls = oauth.NewHTTPClient(nil)
	}
	return container(address, calls), nil
}

func localAgent(host string) bool {
	addr, err := netip.ParseAddr(host)
	return loopback.Host(host) || err == nil && slices.Contains(agents, addr)
}

// container asks the agent beside this container. Its own token stands in the
// environment, or in a file that is read each time, for EKS renews it.
func container(address string, calls *http.Client) aws.CredentialsProvider {
	return endpointcreds.New(address, func(o *endpointcreds.Options) {
		o.HTTPClient = calls
		o.AuthorizationToken = os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
		if file := os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
			o.AuthorizationTokenProvider = endpointcreds.TokenProviderFunc(func() (string, error) {
				token, err := os.ReadFile(file)
				if err != nil {
					return "", fmt.Errorf("read AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: %w", err)
				}
				return string(token), nil
			})
		}
	})
}

// instance asks the metadata service of EC2, which AWS_EC2_METADATA_DISABLED=true
// turns off. The SDK's own client would show the answer to the proxy of HTTP_PROXY.
func instance() aws.CredentialsProvider {
	return ec2rolecreds.New(func(o *ec2rolecreds.Options) {
		o.Client = imds.New(imds.Options{HTTPClient: oauth.NewHTTPClient(nil)})
	})
}
