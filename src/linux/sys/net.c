// SPDX-License-Identifier: GPL-2.0
#include "net.h"

struct net *ksmbd_get_net(struct net *net)
{
	return get_net(net);
}

void ksmbd_put_net(struct net *net)
{
	put_net(net);
}

struct net *ksmbd_current_net(void)
{
	return current->nsproxy ? current->nsproxy->net_ns : &init_net;
}

void ksmbd_sock_allow_v4(struct socket *sock)
{
	sock->sk->sk_ipv6only = false;
}

void ksmbd_sock_set_rcvtimeo(struct socket *sock, long jiffies)
{
	WRITE_ONCE(sock->sk->sk_rcvtimeo, jiffies);
}

void ksmbd_sock_set_sndtimeo(struct socket *sock, long jiffies)
{
	WRITE_ONCE(sock->sk->sk_sndtimeo, jiffies);
}

int ksmbd_sock_iif(struct socket *sock)
{
	return READ_ONCE(sock->sk->sk_bound_dev_if) ?: READ_ONCE(sock->sk->sk_rx_dst_ifindex);
}

bool ksmbd_sock_connected(struct socket *sock)
{
	return (1 << READ_ONCE(sock->sk->sk_state)) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT);
}

size_t ksmbd_iov_iter_count(const struct iov_iter *iter)
{
	return iov_iter_count(iter);
}

void ksmbd_sock_lock(struct sock *sk)
{
	lock_sock(sk);
}

long ksmbd_sock_rcvtimeo(struct sock *sk)
{
	return sock_rcvtimeo(sk, false);
}

bool ksmbd_sock_awaits_data(struct sock *sk)
{
	return sk->sk_state == TCP_ESTABLISHED && !sk->sk_err && !(sk->sk_shutdown & RCV_SHUTDOWN) &&
	       skb_queue_empty(&sk->sk_receive_queue);
}

struct ksmbd_taker {
	int (*take)(void *ctx, struct sk_buff *skb, unsigned int offset, unsigned int len);
	void *ctx;
};

static int ksmbd_tcp_actor(read_descriptor_t *desc, struct sk_buff *skb, unsigned int offset, size_t len)
{
	struct ksmbd_taker *taker = desc->arg.data;
	int took = taker->take(taker->ctx, skb, offset, min(len, desc->count));

	desc->count -= took;
	return took;
}

int ksmbd_tcp_read(struct sock *sk, size_t len,
		   int (*take)(void *ctx, struct sk_buff *skb, unsigned int offset, unsigned int len),
		   void *ctx)
{
	struct ksmbd_taker taker = { .take = take, .ctx = ctx };
	read_descriptor_t desc = { .count = len, .arg.data = &taker };

	return tcp_read_sock(sk, &desc, ksmbd_tcp_actor);
}

unsigned int ksmbd_skb_fragments(const struct sk_buff *skb)
{
	if (skb_headlen(skb) || skb_has_frag_list(skb) || !skb_frags_readable(skb))
		return 0;
	return skb_shinfo(skb)->nr_frags;
}

unsigned int ksmbd_skb_len(const struct sk_buff *skb)
{
	return skb->len;
}

struct page *ksmbd_skb_fragment(const struct sk_buff *skb, unsigned int nth, unsigned int *offset, unsigned int *len)
{
	const skb_frag_t *frag = &skb_shinfo(skb)->frags[nth];

	*offset = skb_frag_off(frag);
	*len = skb_frag_size(frag);
	return skb_frag_page(frag);
}

void ksmbd_reinit_completion(struct completion *done)
{
	reinit_completion(done);
}

void ksmbd_attribute_init(struct attribute *attribute)
{
	sysfs_attr_init(attribute);
}

void *ksmbd_seq_data(const struct seq_file *file)
{
	return pde_data(file_inode(file->file));
}

struct net *ksmbd_genl_net(struct genl_info *info)
{
	return genl_info_net(info);
}

struct nlattr *ksmbd_genl_attribute(struct genl_info *info, int type)
{
	return info->attrs ? info->attrs[type] : NULL;
}

u8 ksmbd_genl_cmd(struct genl_info *info)
{
	return info->genlhdr->cmd;
}

void *ksmbd_nla_data(const struct nlattr *attribute)
{
	return nla_data(attribute);
}

int ksmbd_nla_len(const struct nlattr *attribute)
{
	return nla_len(attribute);
}

int ksmbd_genl_unicast(struct net *net, struct sk_buff *message, u32 port)
{
	return genlmsg_unicast(net, message, port);
}

struct net_device *ksmbd_netdev_first_rtnl(struct net *net)
{
	return first_net_device(net);
}

struct net_device *ksmbd_netdev_next_rtnl(struct net_device *dev)
{
	return next_net_device(dev);
}

struct net_device *ksmbd_netdev_by_name_rtnl(struct net *net, const char *name)
{
	return __dev_get_by_name(net, name);
}

int ksmbd_netdev_index_by_name(struct net *net, const char *name)
{
	struct net_device *dev;
	int index = 0;

	rcu_read_lock();
	dev = dev_get_by_name_rcu(net, name);
	if (dev)
		index = dev->ifindex;
	rcu_read_unlock();
	return index;
}

struct net_device *ksmbd_netdev_of_notifier(void *info)
{
	return netdev_notifier_info_to_dev(info);
}

struct net *ksmbd_netdev_net(struct net_device *dev)
{
	return dev_net(dev);
}

const char *ksmbd_netdev_name(struct net_device *dev)
{
	return dev->name;
}

int ksmbd_netdev_index(struct net_device *dev)
{
	return dev->ifindex;
}

bool ksmbd_netdev_is_up(struct net_device *dev)
{
	return netif_get_flags(dev) & IFF_UP;
}

bool ksmbd_netdev_is_loopback(struct net_device *dev)
{
	return dev->flags & IFF_LOOPBACK;
}

bool ksmbd_netdev_is_bridge_port(struct net_device *dev)
{
	return netif_is_bridge_port(dev);
}

bool ksmbd_netdev_is_slave(struct net_device *dev)
{
	return netif_is_lag_port(dev) || netif_is_l3_slave(dev);
}

unsigned int ksmbd_netdev_tx_queues(struct net_device *dev)
{
	return dev->real_num_tx_queues;
}

bool ksmbd_netdev_address4_rtnl(struct net_device *dev, unsigned int nth, u8 *address)
{
	struct in_device *in = __in_dev_get_rtnl(dev);
	const struct in_ifaddr *ifa;

	if (!in)
		return false;
	in_dev_for_each_ifa_rtnl(ifa, in) {
		if (nth--)
			continue;
		memcpy(address, &ifa->ifa_local, sizeof(ifa->ifa_local));
		return true;
	}
	return false;
}

#if IS_ENABLED(CONFIG_IPV6)
bool ksmbd_netdev_address6_rtnl(struct net_device *dev, unsigned int nth, u8 *address)
{
	struct inet6_dev *in = __in6_dev_get(dev);
	const struct inet6_ifaddr *ifa;
	bool found = false;

	if (!in)
		return false;
	read_lock_bh(&in->lock);
	list_for_each_entry(ifa, &in->addr_list, if_list) {
		if (ifa->flags & (IFA_F_TENTATIVE | IFA_F_DEPRECATED) || nth--)
			continue;
		memcpy(address, &ifa->addr, sizeof(ifa->addr));
		found = true;
		break;
	}
	read_unlock_bh(&in->lock);
	return found;
}
#else
bool ksmbd_netdev_address6_rtnl(struct net_device *dev, unsigned int nth, u8 *address)
{
	return false;
}
#endif
