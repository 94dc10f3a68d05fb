/* SPDX-License-Identifier: GPL-2.0 */
/* Sockets, threads, work queues, generic netlink, sysfs, network devices, time. */
#ifndef KSMBD_SYS_NET_H
#define KSMBD_SYS_NET_H

#include <linux/completion.h>
#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <linux/proc_fs.h>
#include <linux/rtnetlink.h>
#include <linux/sysfs.h>
#include <linux/tcp.h>
#include <net/addrconf.h>
#include <net/genetlink.h>
#include <net/sock.h>
#include <net/tcp.h>

#ifdef __BINDGEN__
static const unsigned long KSMBD_NETDEV_UP = NETDEV_UP;
static const unsigned long KSMBD_NETDEV_DOWN = NETDEV_DOWN;
static const unsigned long KSMBD_NETDEV_REGISTER = NETDEV_REGISTER;
static const unsigned long KSMBD_NETDEV_UNREGISTER = NETDEV_UNREGISTER;
static const unsigned long KSMBD_NETDEV_CHANGENAME = NETDEV_CHANGENAME;
#endif

/* Network namespaces. */
struct net *ksmbd_get_net(struct net *net);
void ksmbd_put_net(struct net *net);
struct net *ksmbd_current_net(void);

/* Sockets. */
void ksmbd_sock_allow_v4(struct socket *sock);
void ksmbd_sock_set_rcvtimeo(struct socket *sock, long jiffies);
void ksmbd_sock_set_sndtimeo(struct socket *sock, long jiffies);
int ksmbd_sock_iif(struct socket *sock);
bool ksmbd_sock_connected(struct socket *sock);
size_t ksmbd_iov_iter_count(const struct iov_iter *iter);

/* What follows is done with the socket locked. */
void ksmbd_sock_lock(struct sock *sk);
long ksmbd_sock_rcvtimeo(struct sock *sk);
bool ksmbd_sock_awaits_data(struct sock *sk);
int ksmbd_tcp_read(struct sock *sk, size_t len,
		   int (*take)(void *ctx, struct sk_buff *skb, unsigned int offset, unsigned int len),
		   void *ctx);
unsigned int ksmbd_skb_fragments(const struct sk_buff *skb);
unsigned int ksmbd_skb_len(const struct sk_buff *skb);
struct page *ksmbd_skb_fragment(const struct sk_buff *skb, unsigned int nth, unsigned int *offset, unsigned int *len);

/* Completions. */
void ksmbd_reinit_completion(struct completion *done);

/* sysfs. */
void ksmbd_attribute_init(struct attribute *attribute);

/* procfs. */
void *ksmbd_seq_data(const struct seq_file *file);

/* Generic netlink. */
struct net *ksmbd_genl_net(struct genl_info *info);
struct nlattr *ksmbd_genl_attribute(struct genl_info *info, int type);
u8 ksmbd_genl_cmd(struct genl_info *info);
void *ksmbd_nla_data(const struct nlattr *attribute);
int ksmbd_nla_len(const struct nlattr *attribute);
int ksmbd_genl_unicast(struct net *net, struct sk_buff *message, u32 port);

/* Network devices. The walk, and what names `rtnl`, is under rtnl_lock(). */
struct net_device *ksmbd_netdev_first_rtnl(struct net *net);
struct net_device *ksmbd_netdev_next_rtnl(struct net_device *dev);
struct net_device *ksmbd_netdev_by_name_rtnl(struct net *net, const char *name);
int ksmbd_netdev_index_by_name(struct net *net, const char *name);
struct net_device *ksmbd_netdev_of_notifier(void *info);
struct net *ksmbd_netdev_net(struct net_device *dev);
const char *ksmbd_netdev_name(struct net_device *dev);
int ksmbd_netdev_index(struct net_device *dev);
bool ksmbd_netdev_is_up(struct net_device *dev);
bool ksmbd_netdev_is_loopback(struct net_device *dev);
bool ksmbd_netdev_is_bridge_port(struct net_device *dev);
bool ksmbd_netdev_is_slave(struct net_device *dev);
unsigned int ksmbd_netdev_tx_queues(struct net_device *dev);
bool ksmbd_netdev_address4_rtnl(struct net_device *dev, unsigned int nth, u8 *address);
bool ksmbd_netdev_address6_rtnl(struct net_device *dev, unsigned int nth, u8 *address);

#endif
