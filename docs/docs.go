// Package docs holds Gatehouse's documentation. Its tests run the code that the
// pages give to people who build APIs behind the gateway.
package docs
